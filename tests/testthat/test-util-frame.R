# Functions that select, add or join rows of a result return a plain data frame, which has no total.

some_capacity <- function() {
  capacity(input_sequence(8) |> layer_conv(2, 4, stride = 4) |> layer_dense(1) |> with_test_coef(1))
}

expect_plain <- function(x, label = NULL) {
  expect_false(inherits(x, "ca_frame"), label = label)
  expect_false(inherits(x, "ca_capacity"), label = label)
  expect_s3_class(x, "data.frame")
}

test_that("selecting rows or columns gives a plain data frame", {
  k <- some_capacity()
  taken <- list(
    k[1:3, ], k[k$lag < 3, ], k[], k[, ], k["capacity"], k[, c("lag", "capacity")], k[0, ],
    head(k), tail(k, 2), subset(k, lag < 3), k[order(k$lag), ], unique(k),
    split(k, k$lag > 4)[[1L]]
  )
  for (x in taken) {
    expect_identical(class(x), "data.frame")
    expect_null(attr(x, "total"))
    expect_null(attr(x, "evidence"))
  }
  expect_equal(as.list(k[2:3, ]), lapply(as.list(generics::tidy(k)), function(column) column[2:3]),
    ignore_attr = TRUE)
})

test_that("a single column is a vector, as for any data frame", {
  k <- some_capacity()
  expect_identical(k[, "capacity"], k$capacity)
  expect_identical(k[["lag"]], 8:1)
  expect_identical(k[3, "lag"], 6L)
  expect_identical(k[, "capacity", drop = FALSE], generics::tidy(k)["capacity"])
})

test_that("binding, merging and transforming give a plain data frame", {
  k <- some_capacity()
  plain <- generics::tidy(k)
  bound <- list(rbind(k, k), rbind(k, plain), rbind(plain, k), do.call(rbind, list(k, k, k)))
  for (x in bound) {
    expect_identical(class(x), "data.frame")
    expect_null(attr(x, "total"))
    expect_equal(x[1:8, ], plain, ignore_attr = TRUE)
    expect_equal(x$capacity, rep_len(k$capacity, nrow(x)))
  }
  expect_equal(vapply(bound, nrow, 0L), c(16, 16, 16, 24))
  expect_identical(class(cbind(k, a = 1)), "data.frame")
  expect_plain(merge(k, plain))
  expect_plain(transform(k, share = capacity / sum(capacity)))
})

test_that("dplyr's verbs give a plain data frame", {
  skip_if_not_installed("dplyr")
  k <- some_capacity()
  verbs <- list(
    filter = dplyr::filter(k, lag < 3), mutate = dplyr::mutate(k, share = capacity / 4),
    arrange = dplyr::arrange(k, lag), slice = dplyr::slice(k, 1:2), select = dplyr::select(k, lag),
    bind_rows = dplyr::bind_rows(k, k), summarise = dplyr::summarise(k, sum = sum(capacity)),
    group_by = dplyr::group_by(k, channel), left_join = dplyr::left_join(k, k["lag"], by = "lag"),
    distinct = dplyr::distinct(k), transmute = dplyr::transmute(k, capacity),
    relocate = dplyr::relocate(k, lag), count = dplyr::count(k, channel),
    slice_head = dplyr::slice_head(k, n = 2)
  )
  for (verb in names(verbs)) expect_plain(verbs[[verb]], verb)
  expect_identical(nrow(verbs$bind_rows), 16L)
  expect_equal(verbs$filter$capacity, k$capacity[k$lag < 3])
  for (verb in c("filter", "slice", "select", "bind_rows")) {
    expect_null(attr(verbs[[verb]], "total"))
  }
})

test_that("dplyr's rename gives a plain data frame", {
  skip_if_not_installed("dplyr")
  expect_plain(dplyr::rename(some_capacity(), where = input))
})

test_that("ggplot2 and modelling functions accept results as data", {
  k <- some_capacity()
  fitted <- lm(capacity ~ lag, data = k)
  expect_equal(nobs(fitted), 8)
  expect_equal(stats::aggregate(capacity ~ channel, k, sum)$capacity, sum(k$capacity))
  expect_identical(class(as.data.frame(k)), "data.frame")
})
