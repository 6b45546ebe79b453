# Series with their time. Objects of zoo, xts and tsibble are made from their fields, as these packages store them.

new_zoo <- function(values, index, class = "zoo") structure(values, index = index, class = class)

test_that("a ts, a zoo, an xts, a tsibble and a data frame with dates give the task of their values", {
  values <- cbind(sales = cumsum(sin(1:24)), price = cos(1:24))
  dates <- seq(as.Date("2020-01-01"), by = "month", length.out = 24)
  wanted <- task_series(values, 3)
  expect_identical(task_series(new_zoo(values, dates), 3), wanted)
  seconds <- as.double(as.POSIXct(format(dates), tz = "UTC"))
  for (class in c("Date", "POSIXct")) {
    index <- structure(seconds, tzone = "UTC", tclass = class)
    expect_identical(task_series(structure(values, index = index, class = c("xts", "zoo")), 3), wanted)
  }
  expect_identical(task_series(data.frame(when = dates, values), 3), wanted)
  tsibble <- structure(data.frame(when = dates, values), class = c("tbl_ts", "tbl_df", "tbl", "data.frame"),
    index = structure("when", ordered = TRUE), key = data.frame(.rows = I(list(1:24))))
  expect_identical(task_series(tsibble, 3), wanted)
  # a ts only differs in its season
  ts <- task_series(ts(values, frequency = 12), 3)
  but_season <- function(task) task[setdiff(names(task), c("naive", "division"))]
  expect_identical(but_season(ts), but_season(wanted))
})

test_that("months, quarters and ends of months are regular, and so are days and seconds", {
  regular <- function(index) expect_no_error(task_series(new_zoo(sin(seq_along(index)), index), 2))
  regular(seq(as.Date("2020-01-31") + 1, by = "month", length.out = 20) - 1)
  regular(seq(as.Date("2020-02-01"), by = "quarter", length.out = 20))
  regular(as.Date("2020-01-01") + 7 * (0:20))
  regular(as.POSIXct("2020-01-01", tz = "UTC") + 0.1 * (0:20))
  regular(seq(as.POSIXct("2024-03-25 12:00", tz = "Europe/Berlin"), by = "DSTday", length.out = 20))
  regular(seq(as.POSIXct("2024-03-30", tz = "UTC"), by = "6 hours", length.out = 20))
  regular(structure(2020 + (0:20) / 12, class = "yearmon"))
  months <- as.double(seq(as.Date("2020-01-01"), by = "month", length.out = 20))
  regular(structure(months, class = c("yearmonth", "vctrs_vctr")))
  regular(2 * (1:20))
})

test_that("an index that is irregular, or columns that cannot be told apart, are refused by name", {
  days <- as.Date("2024-02-26") + c(0:3, 5:12)
  values <- sin(1:12)
  frame <- data.frame(when = days, sales = values)
  expect_snapshot(cran = TRUE, {
    cat(bad(task_series(frame, 3), "value"))
    cat(bad(task_series(new_zoo(values, days), 3), "value"))
    cat(bad(task_series(new_zoo(values, rev(days)), 3), "value"))
    cat(bad(task_series(new_zoo(values, c(1, 2, 3, 5:13)), 3), "value"))
    cat(bad(task_series(new_zoo(values, replace(days, 4, NA)), 3), "value"))
    cat(bad(task_series(cbind(a = values, a = values), 3), "value"))
    cat(bad(task_series(`colnames<-`(cbind(values, values), c("a", "")), 3), "value"))
    cat(bad(task_series(data.frame(when = days, then = days), 3), "value"))
    cat(bad(task_series(data.frame(when = days), 3), "type"))
    cat(bad(task_series(data.frame(sales = letters), 3), "type"))
  })
  many <- structure(data.frame(when = rep(days, 2), shop = rep(1:2, each = 12), sales = c(values, values)),
    class = c("tbl_ts", "tbl_df", "tbl", "data.frame"), index = "when",
    key = data.frame(shop = 1:2, .rows = I(list(1:12, 13:24))))
  expect_snapshot(cran = TRUE, cat(bad(task_series(many, 3), "shape")))
})

test_that("months of one row a day that leap over a gap are not taken for consecutive months", {
  monthly <- seq(as.Date("2020-01-15"), by = "month", length.out = 12)
  gap <- new_zoo(sin(1:11), monthly[-6])
  expect_error(task_series(gap, 2), "2020-05-15 to 2020-07-15", class = "capalloc_error_value")
})
