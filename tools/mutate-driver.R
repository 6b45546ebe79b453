# Tests one mutant of mutate.R in a forked process.
#
# The package, testthat and the helpers of the tests are loaded once, before forking. In the child, a mutant of R is
# evaluated in the namespace; a mutant of C is loaded and the routines of the namespace are bound to it. The expected
# values of small networks, from the slow twins of the helpers, are computed before forking, so that comparing with them
# is fast. Mutants that pass are then run against the test files of their source. The child ends at the first failure.

# ---- test files of a source ------------------------------------------------------------------------------------------

tests_of_c <- list(
  "allocation|transposed" = c("capacity", "capacity-samples-invariance", "capacity-allocation", "capacity-invariance",
    "capacity-kernel", "capacity-table"),
  "linalg|workspace" = c("capacity", "capacity-allocation", "optim", "fit"),
  "extended|jet|op-(max|phi|product)|flow-gate" = c("layer-activation", "layer-recurrent", "layer-pool",
    "capacity-samples-invariance", "capacity-linearise"),
  "extended|jet|op-(max|phi|product)" = c("fit-rows", "tangent-samples", "capacity-samples"),
  "graph|op.*" = "ffi",
  "tangent" = c("optim", "fit-rows"),
  "pass|op-(linear|bias)|tangent|runs|contract" = "capacity-tangent",
  "sample|optim-(adam|normal)" = c("optim", "fit-rows"),
  "loss|optim-(lm|tangent|lbfgs)" = c("optim", "fit"),
  "optim" = c("optim", "fit", "fit-rows"),
  "flow-(carry|cut|gate|joint|moments|program)" = c("flow-decoupling", "flow-joint", "flow-propagate", "flow-moments"),
  "flow-propagate" = "flow-propagate",
  "graph|op|op-(linear|bias)|pass|tangent|runs|contract" = c("layer-local", "layer-recurrent", "layer-conv",
    "layer-pool", "net-layers", "layer-residual", "capacity"),
  "threads" = "util-threads"
)

# These run after the test file of the same name, if it exists.
tests_of_r <- list(
  "capacity(-allocation|-tangent|-linearise|-rank|-metric)?|net-lower" = c("capacity", "capacity-allocation",
    "capacity-samples-invariance", "capacity-samples"),
  "flow-range" = "numbers",
  "net-lower" = "tangent-samples",
  "capacity-(partition|basis)" = c("capacity-partition", "capacity-basis"),
  "compare-contrast|compare-friedman|compare-metric" = c("compare-contrast", "compare-friedman", "compare-ranks"),
  "flow-(joint|pair)" = c("flow-gate", "flow-pair", "flow-joint", "flow-decoupling"),
  "flow-(propagate|plan|gate)" = c("flow-propagate", "flow-decoupling"),
  "flow-(moments|plan|joint)" = "flow-moments",
  "depth-chain|depth-reflected" = c("depth-diffusion", "depth-field"),
  "depth-measure" = "depth-scaling",
  "task.*" = c("task", "task-process", "task-classical", "task-linear", "task-moments", "task-data", "task-series",
    "task-seasonal", "task-image"),
  "net-window" = c("layer-conv", "layer-local", "layer-pool"),
  "compare-metric|compare-ranks|compare-difference" = "compare-difference"
)

stem_of <- function(file) sub("[.][cR]$", "", basename(file))

checks_of <- function(file) {
  stem <- stem_of(file)
  in_c <- grepl("c$", file)
  known <- if (in_c) tests_of_c else tests_of_r
  asked <- vapply(names(known), function(pattern) grepl(paste0("^(", pattern, ")$"), stem), NA)
  own <- file.path("tests/testthat", paste0("test-", unique(c(if (!in_c) stem, unlist(known[asked]))), ".R"))
  own[file.exists(own)]
}

# Orders test files so that those that killed most mutants per second come first. `won` counts kills by test file.
in_order <- function(checks, times, won) {
  kills <- ifelse(is.na(won[checks]), 0, won[checks])
  checks[order((kills + 1 / seq_along(checks)) / times[checks], decreasing = TRUE)]
}

# ---- the tests in this process ---------------------------------------------------------------------------------------

driver <- new.env()

load_tests <- function() {
  loadNamespace("capalloc")
  suppressPackageStartupMessages(library("testthat"))
  # not the environment of testthat, which has copies of the functions of the package
  driver$env <- new.env(parent = asNamespace("capalloc"))
  testthat::source_test_helpers("tests/testthat", env = driver$env)
  driver$reporter <- R6::R6Class("end_at_failure",
    inherit = testthat::Reporter,
    public = list(outcome = NULL, add_result = function(context, test, result) {
      if (inherits(result, c("expectation_failure", "expectation_error"))) end_with(self$outcome, test)
    })
  )
}

# A list of cases list(name, found, wanted, tolerance): `found` is a function that computes a value by the package,
# `wanted` the value of the twin. The tolerances are those of the tests.
quick_cases <- function() {
  with(driver$env, {
    case <- function(name, found, wanted, tolerance = 1e-9) {
      list(list(name = name, found = found, wanted = c(wanted), tolerance = tolerance))
    }
    linear_cases <- function(net, name) {
      J <- twin_tangent(net)
      moments <- some_moments(net)
      space <- twin_column_space(net, J = J)
      soft <- twin_column_space(net, 0.1, J = J)
      loss <- twin_column_space(net, sigma = moments$sigma, J = J)
      table <- t(rowsum(t(twin_table(soft, 0.1)), twin_theta_layer(net)))
      start <- list(unit = rep(1, prod(shape_of(net))), constant = 0, lost = 0)
      flow <- twin_flow(twin_slices(net$layers, net$coef), start, levels = TRUE)
      c(
        case(name, \() effective_weights(net), twin_weights(net)),
        case(name, \() tangent(net), J),
        case(name, \() capacity(net, block = 2)$capacity, diag(twin_kernel(space)), 1e-7),
        case(name, \() capacity(net, ridge = 0.1)$capacity, diag(twin_kernel(soft)), 1e-7),
        case(name, \() capacity(net, "covariance", data = moments$rows)$capacity, diag(twin_kernel(loss)), 1e-6),
        case(name, \() as.matrix(capacity_kernel(net)), twin_kernel(space), 1e-7),
        case(name, \() as.matrix(capacity_table(net, ridge = 0.1, block = 3)), table[, colSums(table != 0) > 0], 1e-7),
        case(name, \() propagate_capacity(net)$capacity, unlist(lapply(flow, unlist)), 1e-10)
      )
    }
    curved_cases <- function(net, name) {
      x <- test_inputs(net, 5)
      c(
        case(name, \() predict(net, x), twin_predict(net, x)),
        case(name, \() .Call(ffi_extended, lower_network(net), net$coef, x), twin_extended(net, x), 1e-8)
      )
    }
    # more rows than one block, and not a multiple of its size
    row_cases <- function(example, name, loss, N = 520, decay = 0.03) {
      theta <- withr::with_seed(1, stats::rnorm(capalloc:::n_params(example$net), sd = 0.7))
      n <- prod(example$net$input$shape)
      rows <- random_rows(N, n, ncol(example$f(theta, matrix(0, 1, n))), loss, N)
      of <- function(theta) plain_loss(example$f(theta, rows$x), rows$y, loss) + decay * sum(theta^2)
      number <- row_convergence(example$f, theta, rows$x, rows$y, loss, decay)
      case(name, \() unlist(core_row_gradient(example$net, theta, rows$x, rows$y, loss, decay)),
        c(of(theta), complex_step(of, theta), number))
    }
    flow_cases <- function(net, name) {
      start <- list(unit = rep(1, prod(shape_of(net))), constant = 0, lost = 0)
      flow <- twin_flow(twin_slices(net$layers, net$coef), start, levels = TRUE)
      case(name, \() propagate_capacity(net)$capacity, unlist(lapply(flow, unlist)), 2e-6)
    }
    over <- function(networks, cases) unlist(unname(Map(cases, networks, names(networks))), recursive = FALSE)
    c(
      over(c(named_networks(), small_grids()), linear_cases),
      over(curved_networks(), curved_cases),
      over(curved_flows(), flow_cases),
      over(smooth_cases(), \(x, name) row_cases(x, name, "squared")),
      over(smooth_cases(), \(x, name) row_cases(x, name, "cross_entropy"))
    )
  })
}

is_off <- function(case) {
  found <- tryCatch(suppressWarnings(c(case$found())), error = function(e) NULL)
  length(found) != length(case$wanted) || !isTRUE(max(abs(found - case$wanted), 0) <= case$tolerance)
}

# Writes the outcome and kills this process, also in the middle of a test.
end_with <- function(outcome, ...) {
  cat(..., file = outcome, sep = "")
  tools::pskill(Sys.getpid(), tools::SIGKILL)
}

run_file <- function(file, folder, outcome) {
  reporter <- driver$reporter$new()
  reporter$outcome <- outcome
  testthat::test_file(file.path(folder, basename(file)), reporter = reporter, package = "capalloc",
    load_helpers = FALSE, env = new.env(parent = driver$env))
}

# ---- forked processes ------------------------------------------------------------------------------------------------

# Runs in the child: prepares the mutant and runs the tests on a copy, whose snapshots may change. It writes the current
# test file to `at` and at the end the outcome to `outcome` in the folder `state`.
run_child <- function(prepare, cases, checks, state) {
  outcome <- file.path(state, "outcome")
  quiet <- file(file.path(state, "log"), "w")
  sink(quiet)
  sink(quiet, type = "message")
  file.copy("tests/testthat", state, recursive = TRUE)
  tryCatch(prepare(), error = function(e) end_with(outcome, "loading"))
  cat("quick", file = file.path(state, "at"))
  for (case in cases) if (is_off(case)) end_with(outcome, "quick, ", case$name)
  for (check in checks) {
    cat(check, file = file.path(state, "at"))
    tryCatch(
      suppressWarnings(run_file(check, file.path(state, "testthat"), outcome)),
      error = function(e) end_with(outcome, "an error")
    )
  }
  end_with(outcome, "SURVIVED")
}

# Runs the tests of a mutant in a fork and returns c(outcome, test file). The time limits count processor time, since
# the machine may be busy, and follow from `limit`, the usual seconds of each test file (is_late()).
run_apart <- function(prepare, cases, checks, limit) {
  tempdir(check = TRUE) # a mutant that crashes R removes it
  state <- tempfile("mutant", getwd())
  dir.create(state)
  on.exit(unlink(state, recursive = TRUE))
  job <- parallel::mcparallel(run_child(prepare, cases, checks, state), silent = TRUE)
  on.exit(suppressWarnings(parallel::mccollect(job)), add = TRUE, after = FALSE)
  read <- function(name) paste(readLines(file.path(state, name), warn = FALSE), collapse = " ")
  at <- function() if (file.exists(file.path(state, "at"))) read("at") else ""
  while (!ended(job)) {
    if (is_late(job$pid, at(), limit)) {
      tools::pskill(job$pid, tools::SIGKILL)
      return(c("killed: time", at()))
    }
  }
  outcome <- if (file.exists(file.path(state, "outcome"))) read("outcome") else "a crash"
  c(if (outcome == "SURVIVED") outcome else paste("killed:", outcome), at())
}

# Whether a forked process has ended; waits for up to 0.1 seconds.
ended <- function(job) !is.null(suppressWarnings(parallel::mccollect(job, wait = FALSE, timeout = 0.1)))

# Whether a process has exceeded the time limit of its current test file: 10 seconds plus five times its usual seconds
# of processor time, or ten times that of elapsed time, which means that it hangs.
is_late <- function(pid, at, limit) {
  now <- Sys.time()
  if (!identical(driver$under_way, c(pid, at))) {
    list2env(list(under_way = c(pid, at), begun = now, used = processor_time(pid), asked = now), driver)
  }
  if (now - driver$asked < 1) return(FALSE)
  driver$asked <- now
  allowed <- 10 + if (at %in% names(limit)) 5 * limit[[at]] else 0
  processor_time(pid) - driver$used > allowed || as.numeric(now - driver$begun, units = "secs") > 10 * allowed
}

# The processor time of a process in seconds. ps prints [days-]hours:minutes:seconds.
processor_time <- function(pid) {
  said <- suppressWarnings(system2("ps", c("-o", "time=", "-p", pid), stdout = TRUE))
  parts <- rev(as.numeric(strsplit(trimws(said[1]), "[-:]")[[1]]))
  sum(parts * c(1, 60, 3600, 86400)[seq_along(parts)], na.rm = TRUE)
}

# Seconds of processor time of every test file on the package without a mutant, where it must pass.
time_checks <- function(checks) {
  seconds <- vapply(checks, function(check) {
    begun <- sum(proc.time()[4:5])
    outcome <- run_apart(function() NULL, list(), check, stats::setNames(100, check))
    if (outcome[1] != "SURVIVED") stop(check, " fails without a mutant, ", outcome[1])
    sum(proc.time()[4:5]) - begun
  }, 0)
  pmax(stats::setNames(seconds, checks), 0.1)
}

# ---- mutants ---------------------------------------------------------------------------------------------------------

use_core <- function(path) {
  routines <- getDLLRegisteredRoutines(dyn.load(normalizePath(path)))$.Call
  for (name in names(routines)) rebind(name, routines[[name]])
}

# Evaluates the whole file of an R mutant, since tables in it contain its functions, and registers its methods again.
use_r <- function(text) {
  namespace <- asNamespace("capalloc")
  code <- parse(text = text, keep.source = FALSE)
  named <- intersect(all.names(code), ls(namespace, all.names = TRUE))
  for (name in named) unlockBinding(name, namespace)
  eval(code, namespace)
  methods <- getNamespaceInfo(namespace, "S3methods")
  for (i in which(methods[, 3] %in% named)) {
    registerS3method(methods[i, 1], methods[i, 2], namespace[[methods[i, 3]]], envir = namespace)
  }
}

rebind <- function(name, value) {
  namespace <- asNamespace("capalloc")
  unlockBinding(name, namespace)
  assign(name, value, envir = namespace)
}
