test_that("blocks of rows and of draws hold as many entries as their bounds allow", {
  expect_identical(capalloc:::allocation_block_size(1, 1e6, 2000), as.integer(ceiling(capalloc:::block_entries / 2000)))
  expect_identical(capalloc:::allocation_block_size(1, 1e6, 1), as.integer(capalloc:::least_block_rows))
  width <- capalloc:::draw_entries / 10
  expect_identical(unname(lengths(capalloc:::difference_chunks(25, width))), c(10L, 10L, 5L))
})
