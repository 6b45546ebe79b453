# The plan of a computation of capacity through layers, and its cost.

# Cuts of a graph and what they take: see ffi_flow_plan() in src/ffi-flow.c. `slice` are the parameters that capacity
# starts from.
flow_plan <- function(graph, slice = NULL, whole = integer()) .Call(ffi_flow_plan, graph, slice, whole)

# The parameters of the layer that capacity starts from: first, from 0, and how many. NULL for outputs.
flow_slice <- function(start) {
  if (start$kind != "layer") return(NULL)
  as.double(c(start$first - 1, start$last - start$first + 1))
}

# Multiplications and additions that take `rows` rows of matrices through a cut of the plan, or rows and columns.
plan_carry_cost <- function(plan, cut, rows, two_sided = TRUE) 2 * plan$terms[[cut]] * rows * (1 + two_sided)

# A number of operations, perhaps Inf.
check_plan_limit <- function(limit, call = rlang::caller_env()) {
  if (identical(limit, Inf)) return(limit)
  check_number(limit, min = 0, arg = "limit", call = call)
}

# Refuses more than `limit` operations, and announces long computations.
check_plan_cost <- function(cost, limit, what, call) {
  if (cost <= limit) {
    if (cost > 1e10) {
      cli::cli_inform("{what} will take about {plan_operations_text(cost)} operations.",
        class = "capalloc_message_cost")
    }
    return(invisible())
  }
  abort(c(
    "{what} would take about {plan_operations_text(cost)} operations.",
    x = "{.arg limit} is {plan_operations_text(limit)}.",
    i = "Raise {.arg limit} to compute it all the same."
  ), "cost", call = call)
}

plan_operations_text <- function(n) {
  if (n >= 1e9) paste(format(signif(n / 1e9, 2), big.mark = ","), "billion") else
    format(signif(n, 2), big.mark = ",", scientific = FALSE)
}
