# Candidates of a search: those of presets, of a user's grid and list, and refused input.

candidates <- function(family, grid = NULL, task = task_fgn(16, 0.7), budget = 20, label = "family") {
  capalloc:::search_candidates(family, grid, task, budget, label)
}
sizes <- function(found) vapply(found, function(x) sum(summary(x$network)$parameters), 0)

test_that("every preset has distinct candidates within the budget, as its function builds them", {
  over <- list(
    task_fgn(16, 0.7), task_fgn(2, 0.7), task_image(6, 5, 2),
    task_moments(diag(6), diag(6)[, 1:2], diag(2), input = input_sequence(3, channels = 2))
  )
  for (task in over) {
    for (name in names(capalloc:::search_families)) {
      if (!task$input$kind %in% capalloc:::search_families[[name]]$kinds) next
      found <- candidates(name, task = task, budget = 90)
      expect_true(all(sizes(found) <= 90))
      expect_false(anyDuplicated(names(found)) > 0L)
      for (x in found[c(1, length(found))]) {
        input <- capalloc:::new_network(task$input)
        built <- do.call(paste0("arch_", name), c(list(input), x$arguments, outputs = task$outputs))
        expect_identical(x$network, built)
      }
    }
  }
})

test_that("a larger budget keeps all candidates of a smaller one", {
  for (name in c("conv", "dilated", "recurrent", "strided")) {
    small <- names(candidates(name, budget = 12))
    expect_true(all(small %in% names(candidates(name, budget = 60))))
  }
  # Receptive fields longer than the 16 inputs are not tried.
  expect_true(all(vapply(candidates("conv", budget = 1e4), function(x) {
    x$arguments$depth * (x$arguments$kernel - 1) < 16
  }, NA)))
})

test_that("candidates for tasks from data have a bias, which counts towards the budget", {
  task <- task_series(datasets::sunspots[1:100], length = 8)
  found <- candidates("dense", task = task, budget = 9)
  expect_identical(found$dense$network, arch_dense(input_sequence(8), bias = TRUE))
  expect_error(candidates("dense", task = task, budget = 8), class = "capalloc_error_budget")
})

test_that("a grid for a function gives one candidate per row, with its error", {
  grid <- data.frame(units = c(1, 2, 0), cell = factor(c("lstm", "elman", "gru")))
  grid$note <- 1
  expect_error(candidates(arch_recurrent, grid), class = "capalloc_error_value")
  found <- candidates(arch_recurrent, grid[1:2])
  expect_named(found, c("units=1 lstm", "units=2 elman", "units=0 gru"))
  expect_identical(found[[1]]$network, arch_recurrent(input_sequence(16), 1, "lstm"))
  expect_null(found[[3]]$network)
  expect_match(found[[3]]$error, "`?units`? must be one whole number, 1 or more")
  # Several numbers in one argument, a repeated row, and a candidate above the budget.
  several <- data.frame(row.names = 1:3)
  several$filters <- list(1, c(1, 2), c(1, 2))
  found <- candidates("conv", several, budget = 15)
  expect_named(found, c("filters=1", "filters=1-2", "filters=1-2 #2"))
  expect_identical(found[[2]]$network, arch_conv(input_sequence(16), c(1, 2)))
  expect_null(found[[1]]$error)
  expect_identical(found[[2]]$error, "above the budget: 17 parameters")
  # An argument that the grid contains is not added again.
  found <- candidates(arch_dense, data.frame(bias = TRUE), budget = 17)
  expect_true(capalloc:::has_bias(found[[1]]$network))
  # Functions as arguments.
  ends <- data.frame(row.names = 1:2)
  ends$end <- list(layer_last, layer_flatten)
  found <- candidates(function(input, end) layer_dense(end(input), 1), ends)
  expect_named(found, c("end=function", "end=function #2"))
  expect_identical(found[[1]]$network, input_sequence(16) |> layer_last() |> layer_dense(1))
  # The function returns something other than a network.
  found <- candidates(function(input, a) if (a == 1) arch_dense(input) else a, data.frame(a = 1:2))
  expect_match(found[[2]]$error, "must be a capalloc network")
})

test_that("networks of a list are unchanged", {
  nets <- list(a = initialise(arch_dense(16), seed = 1), b = arch_deep(16, 2))
  found <- candidates(nets)
  expect_named(found, c("a", "b"))
  expect_identical(found$a$network, nets$a)
  expect_identical(found$b$error, "above the budget: 38 parameters")
})

test_that("the warning names presets without a candidate in the budget if others have one", {
  expect_warning(found <- candidates(c("deep", "conv"), budget = 8), class = "capalloc_warning_budget")
  expect_true(all(grepl("^conv ", names(found))))
})

test_that("invalid families are refused", {
  expect_snapshot(error = TRUE, {
    search_architecture(task_ar(8, 0.5), 8, "transformer")
    search_architecture(task_ar(8, 0.5), 8, character())
    search_architecture(task_ar(8, 0.5), 8, c("conv", "conv"))
    search_architecture(task_ar(8, 0.5), 8, 3)
    search_architecture(task_ar(8, 0.5), 8, arch_dense(8))
    search_architecture(task_ar(8, 0.5), 8, list(arch_dense(8)))
    search_architecture(task_ar(8, 0.5), 8, arch_conv)
    search_architecture(task_ar(8, 0.5), 8, arch_conv, grid = data.frame(width = 1:2))
    search_architecture(task_ar(8, 0.5), 8, c("conv", "dense"), grid = data.frame(kernel = 1:2))
    search_architecture(task_ar(8, 0.5), 8, list(a = arch_dense(8)), grid = data.frame(kernel = 1:2))
    search_architecture(task_ar(8, 0.5), 8, arch_conv, grid = data.frame(kernel = c(20, 30)))
    search_architecture(task_data(mpg ~ wt + hp, mtcars, seed = 1), 8, c("conv", "dense"))
    search_architecture(task_image(4, 4, 1), 8, "recurrent")
  })
})

test_that("for a budget that no candidate meets the error states the least sufficient budget", {
  expect_snapshot(error = TRUE, {
    search_architecture(task_ar(8, 0.5), 2, c("conv", "dense"))
    search_architecture(task_ar(8, 0.5), 5, list(a = arch_dense(8), b = arch_deep(8, 1)))
    search_architecture(task_ar(8, 0.5), Inf, "conv")
    search_architecture(task_ar(8, 0.5), 0, "conv")
  })
})

test_that("the fields of a candidate are the formals of its constructor", {
  expect_constructor(capalloc:::new_candidate)
})
