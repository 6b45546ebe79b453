# Networks and tasks whose shapes do not match.

nets <- list(
  dense = arch_dense(8), dilated = arch_dilated(8, filters = 1), conv = arch_conv(8, 2, kernel = 3)
)

tasks <- classical_tasks(8)[c("ar", "sparse")]

test_that("the error lists each pair of a network and a task that do not match", {
  long <- list(`{long}` = arch_dense(16), two = arch_dense(8, outputs = 2))
  texts <- c(
    bad(compare_architectures(c(nets["dense"], long), tasks), "shape"),
    bad(compare_architectures(nets, classical_tasks(9)), "shape"),
    bad(compare_architectures(list(a = arch_dense(input_sequence(4, channels = 2))), tasks["ar"]),
      "shape")
  )
  expect_snapshot(writeLines(texts))
})

test_that("pairs are checked before the first run", {
  task <- counted_task(tasks$ar)
  bad(compare_architectures(list(a = nets$dense, b = arch_dense(9)), list(t = task), 2, n_obs = 30),
    "shape")
  expect_identical(counted$n, 0L)
  compare_architectures(nets["dense"], list(t = task), 2, n_obs = 30)
  expect_identical(counted$n, 2L)
})
