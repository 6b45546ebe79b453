parts_of <- function(network, partition, ...) capacity(network, partition = partition, ...)

wide <- function(length, channels = 1, bias = FALSE) {
  input_sequence(length, channels) |> layer_conv(2, 3, stride = 2) |>
    layer_dense(2, bias = bias) |> with_test_coef(length)
}

test_that("regions are positions after one break and up to the next", {
  net <- wide(10)
  kappa <- capacity(net)$capacity
  found <- parts_of(net, partition_regions(c(0, 3, 4, 10)))
  expect_s3_class(found, "ca_capacity")
  expect_equal(names(found), c("part", "capacity"))
  names <- c("(0,3]", "(3,4]", "(4,10]")
  expect_equal(found$part, factor(names, levels = names))
  # Sums of the same numbers in the same order.
  expect_equal(found$capacity, c(sum(kappa[1:3]), kappa[[4L]], sum(kappa[5:10])), tolerance = 1e-14)
  halves <- parts_of(net, partition_regions(c(0.5, 5.5, 10.5)))
  expect_equal(halves$capacity, c(sum(kappa[1:5]), sum(kappa[6:10])), tolerance = 1e-14)
})

test_that("positions outside the breaks are a part of their own, and the total stays", {
  net <- wide(10)
  kappa <- capacity(net)$capacity
  found <- parts_of(net, partition_regions(c(2, 4, 7)))
  expect_equal(as.character(found$part), c("(2,4]", "(4,7]", "(other)"))
  expect_equal(found$capacity[[3L]], sum(kappa[c(1:2, 8:10)]))
  expect_equal(sum(found$capacity), generics::glance(capacity(net))$total)
  # Nothing inside, and parts that hold no position.
  none <- parts_of(net, partition_regions(c(10, 20)))
  expect_equal(none$capacity, c(0, sum(kappa)))
  empty <- parts_of(net, partition_regions(c(0, 10, 20, 30)))
  expect_equal(empty$capacity, c(sum(kappa), 0, 0))
})

test_that("octaves are of the lag", {
  net <- wide(20)
  kappa <- capacity(net)$capacity
  lag <- 20:1
  found <- parts_of(net, partition_octaves())
  expect_equal(levels(found$part), c("1", "2", "3-4", "5-8", "9-16", "17-32"))
  by_hand <- tapply(kappa, factor(ceiling(log2(lag)), levels = 0:5), sum)
  expect_equal(found$capacity, as.numeric(by_hand))
  # A power of two ends its octave.
  full <- parts_of(wide(16), partition_octaves())
  expect_equal(levels(full$part), c("1", "2", "3-4", "5-8", "9-16"))
  one <- input_sequence(1) |> layer_dense(1) |> set_coef(2)
  expect_equal(as.list(parts_of(one, partition_octaves())), list(part = factor("1"), capacity = 1),
    ignore_attr = TRUE)
})

test_that("all channels of a position belong to its part", {
  net <- wide(6, channels = 3)
  k <- capacity(net)
  regions <- parts_of(net, partition_regions(c(0, 2, 6)))
  expect_equal(regions$capacity, as.numeric(rowsum(k$capacity, k$position > 2)))
  octaves <- parts_of(net, partition_octaves())
  expect_equal(octaves$capacity, as.numeric(rowsum(k$capacity, ceiling(log2(k$lag)))))
})

test_that("regions of a vector are of its index", {
  net <- input_vector(5) |> layer_dense(2) |> layer_dense(3) |> with_test_coef(1)
  kappa <- capacity(net)$capacity
  found <- parts_of(net, partition_regions(c(0, 2, 5)))
  expect_equal(found$capacity, c(sum(kappa[1:2]), sum(kappa[3:5])))
})

test_that("the intercept is a part of its own, the last", {
  regions <- list(partition_regions(c(0, 3)), partition_regions(c(-5, 50)))
  for (partition in c(list(partition_octaves()), regions)) {
    net <- wide(10, bias = TRUE)
    k <- capacity(net)
    found <- parts_of(net, partition)
    last <- nrow(found)
    expect_equal(as.character(found$part[[last]]), "(Intercept)")
    expect_equal(utils::tail(levels(found$part), 1), "(Intercept)")
    expect_equal(found$capacity[[last]], k$capacity[[11L]])
    expect_equal(sum(found$capacity), generics::glance(k)$total)
  }
})

test_that("parts sum to the total in both metrics, and with a ridge", {
  net <- wide(12, bias = TRUE)
  task <- task_fgn(12, 0.8)
  for (partition in list(partition_octaves(), partition_regions(c(1, 5, 9)))) {
    for (metric in c("identity", "covariance")) for (ridge in c(0, 0.01)) {
      data <- if (metric == "covariance") task
      found <- parts_of(net, partition, metric = metric, data = data, ridge = ridge)
      # Rounding of an orthonormal basis.
      expect_equal(sum(found$capacity), generics::glance(found)$total, tolerance = 1e-10)
      whole <- capacity(net, metric = metric, data = data, ridge = ridge)
      expect_equal(generics::glance(found), generics::glance(whole))
    }
  }
})

test_that("names of regions tell their breaks apart", {
  net <- input_sequence(2048) |> layer_conv(1, 2, stride = 2) |> layer_pool(64) |>
    layer_dense(1) |> with_test_coef(1)
  found <- parts_of(net, partition_regions(c(0, 1024, 2048)))
  expect_equal(as.character(found$part), c("(0,1024]", "(1024,2048]"))
})

test_that("a partition prints what it is", {
  expect_snapshot({
    partition_octaves()
    partition_regions(c(0, 4, 8))
  })
})

test_that("bad partitions are refused", {
  vector <- input_vector(4) |> layer_dense(1) |> set_coef(1:4)
  expect_snapshot({
    cat(bad(partition_regions(5), "value"))
    cat(bad(partition_regions(c(0, 4, 4)), "value"))
    cat(bad(partition_regions(c(4, 0)), "value"))
    cat(bad(partition_regions(c(0, NA)), "value"))
    cat(bad(partition_regions(c(0, Inf)), "value"))
    cat(bad(partition_regions("a"), "type"))
    cat(bad(partition_regions(NULL), "type"))
    cat(bad(partition_regions(numeric()), "value"))
    cat(bad(capacity(vector, partition = partition_octaves()), "shape"))
    cat(bad(capacity(vector, partition = c(0, 2, 4)), "type"))
    cat(bad(capacity(vector, partition = list(1:2, 3:4)), "type"))
  })
})
