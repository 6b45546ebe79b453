parts_of <- function(network, partition, ...) capacity(network, partition = partition, ...)

wide <- function(length, channels = 1, bias = FALSE) {
  input_sequence(length, channels) |> layer_conv(2, 3, stride = 2) |>
    layer_dense(2, bias = bias) |> with_test_coef(length)
}

test_that("a region has the positions after one break up to the next", {
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

test_that("positions outside the breaks are a separate part, and the total is unchanged", {
  net <- wide(10)
  kappa <- capacity(net)$capacity
  found <- parts_of(net, partition_regions(c(2, 4, 7)))
  expect_equal(as.character(found$part), c("(2,4]", "(4,7]", "(other)"))
  expect_equal(found$capacity[[3L]], sum(kappa[c(1:2, 8:10)]))
  expect_equal(sum(found$capacity), generics::glance(capacity(net))$total)
  # No position inside the breaks, and parts without positions.
  none <- parts_of(net, partition_regions(c(10, 20)))
  expect_equal(none$capacity, c(0, sum(kappa)))
  empty <- parts_of(net, partition_regions(c(0, 10, 20, 30)))
  expect_equal(empty$capacity, c(sum(kappa), 0, 0))
})

test_that("octaves are ranges of the lag", {
  net <- wide(20)
  kappa <- capacity(net)$capacity
  lag <- 20:1
  found <- parts_of(net, partition_octaves())
  expect_equal(levels(found$part), c("1", "2", "3-4", "5-8", "9-16", "17-32"))
  by_hand <- tapply(kappa, factor(ceiling(log2(lag)), levels = 0:5), sum)
  expect_equal(found$capacity, as.numeric(by_hand))
  # A power of two is the end of its octave.
  full <- parts_of(wide(16), partition_octaves())
  expect_equal(levels(full$part), c("1", "2", "3-4", "5-8", "9-16"))
  one <- input_sequence(1) |> layer_dense(1) |> set_coef(2)
  expect_equal(as.list(parts_of(one, partition_octaves())), list(part = factor("1"), capacity = 1),
    ignore_attr = TRUE)
})

test_that("all channels of a position belong to the same part", {
  net <- wide(6, channels = 3)
  k <- capacity(net)
  regions <- parts_of(net, partition_regions(c(0, 2, 6)))
  expect_equal(regions$capacity, as.numeric(rowsum(k$capacity, k$position > 2)))
  octaves <- parts_of(net, partition_octaves())
  expect_equal(octaves$capacity, as.numeric(rowsum(k$capacity, ceiling(log2(k$lag)))))
})

test_that("regions of a vector are ranges of its index", {
  net <- input_vector(5) |> layer_dense(2) |> layer_dense(3) |> with_test_coef(1)
  kappa <- capacity(net)$capacity
  found <- parts_of(net, partition_regions(c(0, 2, 5)))
  expect_equal(found$capacity, c(sum(kappa[1:2]), sum(kappa[3:5])))
})

test_that("the intercept is a separate part, the last one", {
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
      # Rounding error of an orthonormal basis.
      expect_equal(sum(found$capacity), generics::glance(found)$total, tolerance = 1e-10)
      whole <- capacity(net, metric = metric, data = data, ridge = ridge)
      expect_equal(generics::glance(found), generics::glance(whole))
    }
  }
})

test_that("names of regions distinguish their breaks", {
  net <- input_sequence(2048) |> layer_conv(1, 2, stride = 2) |> layer_pool(64) |>
    layer_dense(1) |> with_test_coef(1)
  found <- parts_of(net, partition_regions(c(0, 1024, 2048)))
  expect_equal(as.character(found$part), c("(0,1024]", "(1024,2048]"))
})

# Returns the capacities of the subspaces of a partition as the documentation defines them; `parts` is a named list of
# coordinates or of matrices of columns.
twin_parts <- function(network, parts, sigma = NULL) {
  n <- prod(network$input$shape)
  J <- if (network$input$kind == "grid") unname(tangent(network)) else twin_tangent(network)
  space <- twin_column_space(network, sigma = sigma, J = J)
  sums <- vapply(parts, function(at) {
    if (length(at) == 0L) return(0)
    twin_subspace(space, without_constant(if (is.matrix(at)) at else unit_vectors(at, n), network))
  }, 0)
  # The constant is a separate part.
  if (twin_has_bias(network$layers)) {
    sums <- c(sums, `(Intercept)` = twin_subspace(space, unit_vectors(n + 1, n + 1)))
  }
  list(sums = sums, total = space$total)
}

expect_parts <- function(network, partition, parts, label) {
  x <- some_moments(network)
  for (metric in c("identity", "covariance")) {
    sigma <- if (metric == "covariance") x$sigma
    k <- capacity(network, metric, partition, data = x$rows)
    twin <- twin_parts(network, parts, sigma)
    expect_identical(as.character(k$part), names(twin$sums), label = label)
    expect_identical(levels(k$part), names(twin$sums), label = label)
    # In the covariance metric J loses the condition number of the root of Sigma, up to 1e3.
    expect_near(k$capacity, unname(twin$sums), if (metric == "identity") 1e-10 else 1e-8, label)
    expect_equal(sum(k$capacity), twin$total, tolerance = 1e-9, label = label)
    expect_equal(attr(k, "total"), twin$total, tolerance = 1e-9, label = label)
  }
}

several_networks <- function() {
  c(named_networks()[c("conv_channels", "dense_on_sequence", "diagonal_bias", "nested", "residual_deep")],
    small_grids())
}

test_that("positions and channels equal the twin's on sequences, grids and vectors", {
  networks <- c(several_networks(), named_networks()[c("dense_bias", "dense_deep")])
  for (name in names(networks)) {
    shape <- networks[[name]]$input$shape
    vector <- networks[[name]]$input$kind == "vector"
    channels <- if (vector) 1 else shape[[1]]
    at <- seq_len(prod(shape))
    positions <- split(at, ceiling(at / channels))
    expect_parts(networks[[name]], partition_positions(), positions, name)
    expect_parts(networks[[name]], partition_channels(), split(at, (at - 1) %% channels + 1), name)
  }
})

test_that("regions and octaves equal the twin's", {
  networks <- several_networks()
  for (name in names(networks)) {
    shape <- networks[[name]]$input$shape
    position <- rep(seq_len(shape[[2]] * shape[[3]]), each = shape[[1]])
    at <- seq_along(position)
    parts <- list(`(1,3]` = at[position %in% 2:3], `(3,5]` = at[position %in% 4:5],
      `(other)` = at[!position %in% 2:5])
    if (length(parts[[3]]) == 0) parts <- parts[1:2]
    expect_parts(networks[[name]], partition_regions(c(1, 3, 5)), parts, name)
    if (networks[[name]]$input$kind != "sequence") next
    lag <- shape[[3]] + 1 - position
    octaves <- list(`1` = at[lag == 1], `2` = at[lag == 2], `3-4` = at[lag %in% 3:4], `5-8` = at[lag %in% 5:8])
    expect_parts(networks[[name]], partition_octaves(), octaves, name)
  }
})

test_that("rectangles of a grid equal the twin's", {
  for (network in small_grids()) {
    rows <- capacity(network)
    rows <- rows[!is.na(rows$position), ]
    inside <- function(a, b) which(rows$row %in% a & rows$column %in% b)
    width <- network$input$shape[[3]]
    height <- network$input$shape[[2]]
    whole <- partition_regions(c(0, 2, height), columns = c(0, 1, width))
    names <- c(outer(paste0(c("(0,1]", paste0("(1,", width, "]"))),
      paste0(c("(0,2]", paste0("(2,", height, "]"))), function(b, a) paste(a, "x", b)))
    parts <- list(inside(1:2, 1), inside(1:2, 2:width), inside(3:height, 1), inside(3:height, 2:width))
    expect_parts(network, whole, stats::setNames(parts, names), "whole")
    some <- partition_regions(c(1, 3), columns = c(1, 2, 3))
    own <- list(`(1,3] x (1,2]` = inside(2:3, 2), `(1,3] x (2,3]` = inside(2:3, 3))
    own$`(other)` <- setdiff(seq_len(nrow(rows)), unlist(own))
    expect_parts(network, some, own, "some")
    # Breaks without columns apply to the position, which runs down the columns.
    expect_equal(capacity(network, partition = partition_regions(c(0, height)))$capacity[[1]],
      sum(rows$capacity[rows$column == 1]), tolerance = 1e-12)
  }
})

test_that("outputs equal the twin's, with the constant as a separate part", {
  networks <- several_networks()
  for (name in names(networks)) {
    network <- networks[[name]]
    n <- prod(network$input$shape)
    J <- unname(tangent(network))
    for (sigma in list(NULL, some_moments(network)$sigma)) for (ridge in c(0, 0.1)) {
      space <- twin_column_space(network, ridge, sigma = sigma, J = J)
      m <- space$m
      inputs <- diag(rep(c(1, 0), c(n, nrow(space$P) / m - n)), nrow(space$P) / m)
      wanted <- vapply(seq_len(m), function(o) {
        sum(diag(kronecker(inputs, diag(as.numeric(seq_len(m) == o), m)) %*% space$P))
      }, 0)
      names <- paste0("y[", seq_len(m), "]")
      if (twin_has_bias(network$layers)) {
        wanted <- c(wanted, space$total - sum(wanted))
        names <- c(names, "(Intercept)")
      }
      metric <- if (is.null(sigma)) "identity" else "covariance"
      k <- capacity(network, metric, partition_outputs(), ridge, data = some_moments(network)$rows)
      expect_identical(levels(k$part), names, label = name)
      expect_near(k$capacity, wanted, if (is.null(sigma)) 1e-10 else 1e-8, name)
    }
  }
})

test_that("partitions work with a ridge, selected layers and blocks", {
  net <- named_networks()$residual_deep
  J <- twin_tangent(net)
  keep <- grepl("^conv", names(coef(net)))
  space <- twin_column_space(net, 0.2, keep, J = J)
  own <- diag(twin_kernel(space))
  for (block in c(1, 4, 5, 100)) {
    of <- function(partition) {
      capacity(net, partition = partition, ridge = 0.2, layers = c("conv1", "conv2"), block = block)$capacity
    }
    expect_near(of(partition_channels()), c(sum(own[c(1, 3, 5, 7, 9, 11)]), sum(own[c(2, 4, 6, 8, 10, 12)]), own[[13]]))
    expect_near(of(partition_positions()), c(rowSums(matrix(own[1:12], ncol = 2, byrow = TRUE)), own[[13]]))
  }
})

test_that("a vector has one channel and its own positions", {
  net <- named_networks()$dense
  expect_identical(as.character(capacity(net, partition = partition_channels())$part), "1")
  expect_identical(as.character(capacity(net, partition = partition_positions())$part), as.character(1:5))
})

test_that("a partition prints its kind", {
  expect_snapshot({
    partition_octaves()
    partition_regions(c(0, 4, 8))
    partition_regions(c(0, 4, 8), columns = c(0, 8))
    partition_positions()
    partition_channels()
    partition_outputs()
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
    cat(bad(partition_regions(data.frame(1:3)), "type"))
    cat(bad(partition_regions(c(0, 4), columns = 4), "value"))
    cat(bad(partition_regions(c(0, 4), columns = c(4, 0)), "value"))
    cat(bad(partition_regions(c(0, 4), columns = "a"), "type"))
    cat(bad(partition_regions(c(0, 4), columns = c(0, NA)), "value"))
    cat(bad(capacity(vector, partition = partition_regions(c(0, 4), columns = c(0, 4))), "shape"))
    cat(bad(capacity(wide(8), partition = partition_regions(c(0, 4), columns = c(0, 4))), "shape"))
    cat(bad(capacity(small_grids()$plain, partition = partition_octaves()), "shape"))
    cat(bad(capacity(vector, partition = partition_octaves()), "shape"))
    cat(bad(capacity(vector, partition = c(0, 2, 4)), "type"))
    cat(bad(capacity(vector, partition = list(1:2, 3:4)), "type"))
  })
})

test_that("what a partition divides has the fields of its constructor", {
  expect_constructor(new_partition_cut)
})
