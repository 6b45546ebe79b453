# Calls every routine of the C core on small networks with valid arguments and with invalid arguments, each call twice.
# It fails if the two values of a call differ.
# Call: Rscript check-routines.R TESTS KIND [few], TESTS the folder of the tests, KIND one of
#   collect  the second call runs with gctorture2(): garbage collection at every allocation
#   twice    both calls run alike: for valgrind
# With `few` each routine is called on one network only.

library(capalloc)
given <- commandArgs(TRUE)
house <- new.env(parent = asNamespace("capalloc"))
for (file in file.path(given[1L], paste0("helper-", c("networks", "ffi", "calls"), ".R"))) sys.source(file, house)
torture <- given[2L] == "collect"
few <- "few" %in% given

# Small networks, which together have every kind of operation.
small_networks <- function() {
  list(
    linear = input_sequence(3) |> layer_conv(2, 2, bias = TRUE) |>
      layer_residual(\(x) layer_conv(x, 2, 1)) |> layer_dense(1),
    recurrent = input_sequence(3) |> layer_recurrent(1) |> layer_parallel(\(x) x, \(x) x, merge = "concat"),
    curved = input_sequence(3) |> layer_conv(2, 2) |> layer_activation("tanh") |>
      layer_pool(2, type = "max") |> layer_dense(1, bias = TRUE),
    gates = input_sequence(2) |> layer_recurrent(1, "lstm")
  )
}

calls_of <- function(network) {
  linear <- !any(vapply(capalloc:::lower_network(network)$ops, function(op) op$kind %in% c("phi", "product", "max"),
    NA))
  calls <- house$with_ffi_seed(1, if (linear) house$ffi_calls(network) else house$ffi_curved_calls(network))
  c(calls, list(ffi_activations = list(), ffi_operations = list(), ffi_threads = list(0)))
}

# The arguments with an invalid first one, which is the network in most routines. NULL if there are no arguments.
broken <- function(arguments) if (length(arguments) > 0L) replace(arguments, 1L, list("no network"))

answer <- function(routine, arguments) {
  symbol <- utils::getFromNamespace(routine, "capalloc")
  call <- as.call(c(quote(.Call), list(symbol), lapply(unname(arguments), function(x) call("quote", x))))
  set.seed(1)
  if (torture) gctorture2(1L)
  on.exit(if (torture) gctorture2(0L))
  tryCatch(eval(call), capalloc_error = function(e) "refused")
}

# Whether both calls return the same value.
same <- function(routine, arguments) {
  torture <<- FALSE
  expected <- answer(routine, arguments)
  torture <<- given[2L] == "collect"
  identical(answer(routine, arguments), expected)
}

networks <- small_networks()
calls <- unlist(lapply(networks[if (few) c("linear", "gates") else names(networks)], calls_of), recursive = FALSE)
of <- sub(".*[.]", "", names(calls))
if (few) calls <- calls[!duplicated(of)]
of <- sub(".*[.]", "", names(calls))
missing <- setdiff(names(getDLLRegisteredRoutines("capalloc")$.Call), of)
refused <- Filter(length, lapply(calls, broken))
bad <- unlist(house$with_plain_errors(Map(function(name, routine, arguments) {
  ways <- c(list(arguments), list(broken(arguments))[length(arguments) > 0L])
  if (!all(vapply(ways, function(way) same(routine, way), NA))) name
}, names(calls), of, calls)))
writeLines(c(
  sprintf("%d valid calls of %d routines, and %d invalid calls", length(calls), length(unique(of)), length(refused)),
  if (length(missing) > 0L) paste("without a call:", toString(missing)),
  if (length(bad) > 0L) paste("different values:", toString(bad))
))
quit(status = if (length(missing) + length(bad) > 0L) 1L else 0L)
