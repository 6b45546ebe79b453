test_that("classical tasks are a plain named list of partly predictable tasks", {
  for (length in c(8, 9, 33, 64)) {
    tasks <- classical_tasks(length)
    expect_identical(class(tasks), "list")
    expect_gte(length(tasks), 6)
    expect_false(anyDuplicated(names(tasks)) > 0)
    for (task in tasks) {
      expect_equal(task$moments$target, matrix(1), tolerance = 1e-14)
      expect_identical(task$input$shape, c(1L, 1L, as.integer(length)))
      expect_gt(bayes_loss(task), 0.05)
      expect_lt(bayes_loss(task), 0.95)
    }
  }
})

test_that("classical tasks differ in short, long and sparse memory", {
  demand <- lapply(classical_tasks(32), \(task) rev(task_demand(task)$demand))
  expect_lt(max(demand$ar[-(1:2)]), 1e-20)
  expect_gt(min(demand$fgn), 1e-6)
  expect_equal(which(demand$sparse > 1e-10), c(1, 16, 32))
})

test_that("bad lengths are refused by class", {
  texts <- c(
    bad(classical_tasks(7), "value"),
    bad(classical_tasks("a"), "value")
  )
  expect_snapshot(writeLines(texts))
})
