# Shapes and their printed form.

test_that("inputs print their shape", {
  expect_snapshot({
    input_sequence(64)
    input_sequence(64, channels = 2)
    input_vector(10)
  })
})

test_that("grids print their shape and refuse invalid sizes", {
  expect_equal(prod(input_grid(4, 2, 3)$input$shape), 24)
  expect_equal(nrow(summary(input_grid(4, 5))), 0)
  net <- set_coef(input_grid(2, 3, channels = 2), numeric())
  expect_equal(twin_weights(net), diag(12))
  expect_equal(unname(effective_weights(net)), diag(12))
  expect_snapshot({
    input_grid(8, 12)
    input_grid(1, 12, channels = 3)
  })
  for (size in list(0, -1, 2.5, NA, Inf, NULL, "4", c(2, 3), list(4), 2^31)) {
    expect_error(input_grid(size, 2), class = "capalloc_error_value")
    expect_error(input_grid(2, size), class = "capalloc_error_value")
    expect_error(input_grid(2, 2, channels = size), class = "capalloc_error_value")
  }
  expect_snapshot({
    writeLines(bad(input_grid(0, 3), "value"))
    writeLines(bad(input_grid(2, NA), "value"))
    writeLines(bad(input_grid(2, 3, channels = 1.5), "value"))
  })
})
