test_that("blocks are runs of neighbouring rows within all rows", {
  at <- withr::with_seed(1, draw_blocks(20, 4, 30))
  expect_length(at, 30)
  expect_true(all(at >= 1 & at <= 20))
  expect_true(all(diff(at)[seq_len(29) %% 4 != 0] == 1))
  expect_setequal(unlist(lapply(1:200, function(s) withr::with_seed(s, draw_blocks(5, 2)))), 1:5)
})

test_that("the default length is the cube root or the window, at most half of the rows", {
  expect_identical(default_block_length(1000L, 1L), 10L)
  expect_identical(default_block_length(1000L, 64L), 64L)
  expect_identical(default_block_length(10L, 64L), 5L)
  expect_identical(default_block_length(1L, 64L), 1L)
})
