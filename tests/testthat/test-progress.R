test_that("the time left is that of the runs left at the rate so far", {
  expect_identical(vapply(c(0.2, 59, 61, 3700, 90000), capalloc:::show_seconds, ""),
    c("0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"))
  left <- capalloc:::time_left(steps = 10, before = 4)
  Sys.sleep(0.3)
  expect_match(left(3), "^0 s left$")
  expect_identical(left(3), "0 s left")
})

test_that("without progressr it is a bar of cli", {
  done <- 0
  out <- capalloc:::with_bar(5, 2, function(n) "1 s left", function(advance) {
    for (i in 1:3) advance(1)
    done <<- done + 3
    "result"
  })
  expect_identical(out, "result")
  expect_identical(done, 3)
})
