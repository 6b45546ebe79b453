# Effective receptive fields of layers.

equal_stack <- function(n, L, padding = "same") {
  net <- input_sequence(n)
  for (l in seq_len(L)) net <- layer_conv(net, 1, 3, padding = padding)
  set_coef(net, rep(1, 3 * L))
}

test_that("fields of equal layers grow as the square root of depth", {
  net <- equal_stack(64, 8)
  field <- effective_receptive_field(net, output = "middle")
  expect_equal(field$sd, sqrt(2 / 3 * 1:8), tolerance = 1e-12)
  expect_equal(field$sqrt_depth, field$sd, tolerance = 1e-12)
  expect_identical(field$size, 1L + 2L * 1:8)
  expect_equal(field$mean, rep(32, 8))
  g <- glance(field)
  expect_equal(g$exponent, 0.5)
  expect_equal(glance(effective_receptive_field(equal_stack(64, 2), output = "middle"))$exponent, 0.5)
  expect_identical(c(g$layers, g$depth, g$size, g$region_size), c(8L, 8L, 17L, 9L))
  expect_equal(g$share, 9 / 17)
  # diffusion_limit() gives the same variance.
  expect_equal(g$sd^2, glance(diffusion_limit(net, list(position = 32)))$variance_finite)
  # With doubling dilations the growth is faster.
  dilated <- input_sequence(64)
  for (d in 2^(0:5)) dilated <- layer_conv(dilated, 1, 2, dilation = d)
  field <- effective_receptive_field(set_coef(dilated, rep(1, 12)))
  expect_equal(field$sd, sqrt((4^(1:6) - 1) / 12)) # uniform on 2^l positions
  expect_gt(glance(field)$exponent, 1)
})

test_that("the theoretical field of the newest output is that of receptive_field()", {
  networks <- c(named_networks(), grid_networks())
  for (name in names(networks)) {
    net <- with_test_coef(networks[[name]], 1)
    if (net$input$kind == "vector" || length(net$layers) == 0) next
    field <- effective_receptive_field(net)
    wanted <- receptive_field(net)
    own <- intersect(c("layer", "dimension", "size", "from", "to"), names(wanted))
    tidied <- tidy(field)
    tidied$layer <- as.character(tidied$layer)
    expect_equal(tidied[own], wanted[own], label = name, ignore_attr = TRUE)
  }
})

test_that("means, widths and windows are those of propagated capacity", {
  net <- with_test_coef(input_sequence(9, channels = 2) |> layer_conv(2, 3, bias = TRUE) |> layer_activation("tanh") |>
    layer_conv(3, 2, padding = "same") |> layer_dense(2), 3)
  for (method in c("total", "linear", "gaussian")) {
    field <- effective_receptive_field(net, method)
    kappa <- arrived(net, NULL, method)
    x <- seq_along(kappa)
    m <- sum(x * kappa) / sum(kappa)
    last <- field[nrow(field), ]
    expect_equal(c(last$mean, last$sd), c(m, sqrt(sum((x - m)^2 * kappa) / sum(kappa))), tolerance = 1e-10)
    inside <- x >= last$region_from & x <= last$region_to
    expect_gte(sum(kappa[inside]) / sum(kappa), 0.95 - 1e-9)
  }
  # The third layer's newest position, all channels.
  head <- with_test_coef(net, 3)
  head$layers <- c(net$layers[1:3], layer_last(new_network(net$input, net$layers[1:3]))$layers[4])
  head$coef <- net$coef[seq_len(capalloc:::layers_params(net$layers[1:3]))]
  kappa <- arrived(head, NULL)
  expect_equal(effective_receptive_field(net)$mean[[3]], sum(seq_along(kappa) * kappa) / sum(kappa))
})

test_that("method = \"gradient\" averages the squared slopes of linearise()", {
  net <- with_test_coef(input_sequence(7, channels = 2) |> layer_conv(2, 3, padding = "same", bias = TRUE) |>
    layer_activation("gelu") |> layer_conv(1, 3) |> layer_last(), 2)
  x <- test_inputs(net, 6, 1)
  squares <- rowMeans(apply(x, 1, function(row) linearise(net, row)[1, 1:14]^2))
  w <- colSums(matrix(squares, 2))
  last <- effective_receptive_field(net, "gradient", data = x)[4, ]
  m <- sum(1:7 * w) / sum(w)
  expect_equal(c(last$mean, last$sd), c(m, sqrt(sum((1:7 - m)^2 * w) / sum(w))), tolerance = 1e-12)
  task <- task_data(x, x[, 1])
  expect_identical(effective_receptive_field(net, "gradient", task = task)[4, "sd"],
    effective_receptive_field(net, "gradient", data = task$data$x)[4, "sd"])
  # For a linear network with one channel these are the squared effective weights, which mode linear distributes.
  line <- with_test_coef(input_sequence(12) |> layer_conv(1, 3) |> layer_conv(1, 2, dilation = 4), 1)
  expect_equal(effective_receptive_field(line, "gradient")$sd, effective_receptive_field(line, "linear")$sd)
})

test_that("windows are the shortest, and the heaviest of these", {
  slow <- function(w, level) {
    for (size in seq_along(w)) {
      sums <- vapply(seq_len(length(w) - size + 1), function(i) sum(w[i + seq_len(size) - 1]), 0)
      if (max(sums) >= level * sum(w) * (1 - 1e-12)) return(which.max(sums) + c(0L, size - 1L))
    }
  }
  set.seed(1)
  for (i in 1:200) {
    w <- rexp(sample(12, 1)) * rbinom(1, 3, 0.7)
    level <- runif(1)
    found <- field_smallest_window(w, level)
    if (sum(w) == 0) expect_identical(found, c(NA_integer_, NA_integer_)) else
      expect_equal(found, slow(w, level))
  }
  expect_identical(field_smallest_window(c(0, 1, 1, 0), 1 - 1e-9), 2:3)
})

test_that("on grids rows and columns have separate marginals", {
  net <- input_grid(11, 9) |> layer_conv(1, c(3, 1), padding = "same") |> layer_conv(1, c(3, 5), padding = "same")
  field <- effective_receptive_field(set_coef(net, rep(1, 18)), output = "middle")
  expect_identical(field$dimension, c("row", "column", "row", "column"))
  expect_equal(field$sd, sqrt(c(2 / 3, 0, 4 / 3, 2)))
  expect_identical(field$size, c(3L, 1L, 5L, 5L))
  expect_equal(field$mean, c(6, 5, 6, 5))
  expect_identical(field$depth, c(1L, 0L, 2L, 1L))
  expect_identical(glance(field)$dimension, c("row", "column"))
})

test_that("a fit is treated as its network with its task or inputs", {
  task <- task_fgn(8, 0.8)
  net <- input_sequence(8) |> layer_conv(2, 3) |> layer_activation("tanh") |> layer_dense(1)
  trained <- suppressWarnings(fit(net, task, "lbfgs", n_obs = 30, seed = 1, control = list(max_iterations = 2)))
  same <- function(a, b) expect_identical(tidy(a), tidy(b))
  same(effective_receptive_field(trained), effective_receptive_field(trained$network, task = task))
  same(effective_receptive_field(trained, "gradient"),
    effective_receptive_field(trained$network, "gradient", data = fit_rows(trained)$x))
})

test_that("fields without inputs or without capacity are NA", {
  dead <- set_coef(input_sequence(4) |> layer_conv(1, 2) |> layer_dense(1), c(0, 0, 1, 1, 1))
  field <- effective_receptive_field(dead)
  expect_true(all(is.na(field$sd)) && all(is.na(field$region_size)))
  expect_identical(field$size, c(2L, 4L))
  expect_true(is.na(glance(field)$exponent))
  expect_s3_class(field, c("ca_field", "ca_frame", "data.frame"), exact = TRUE)
})

test_that("fields print, and bad arguments are refused by name", {
  net <- equal_stack(16, 2)
  curved <- initialise(layer_activation(input_sequence(4) |> layer_conv(1, 2), "relu"), seed = 1)
  vector <- initialise(input_vector(3) |> layer_dense(1), seed = 1)
  lstm <- initialise(input_sequence(3) |> layer_recurrent(1, "lstm") |> layer_dense(1), seed = 1)
  expect_snapshot({
    effective_receptive_field(net)
    print(effective_receptive_field(net), n = 1)
    cat(bad(effective_receptive_field(cars), "type"))
    cat(bad(effective_receptive_field(input_sequence(4) |> layer_conv(1, 2)), "no_coefficients"))
    cat(bad(effective_receptive_field(vector), "shape"))
    cat(bad(effective_receptive_field(set_coef(input_sequence(3), numeric())), "value"))
    cat(bad(effective_receptive_field(net, "mean"), "value"))
    cat(bad(effective_receptive_field(net, output = "oldest"), "value"))
    cat(bad(effective_receptive_field(net, level = 1), "value"))
    cat(bad(effective_receptive_field(curved, "gradient"), "no_data"))
    cat(bad(effective_receptive_field(curved, "empirical"), "no_data"))
    cat(bad(effective_receptive_field(curved, "gradient", task = task_fgn(4, 0.8)), "no_data"))
    cat(bad(effective_receptive_field(curved, "gradient", data = diag(3)), "shape"))
    cat(bad(effective_receptive_field(curved, data = diag(4), task = task_fgn(4, 0.8)), "value"))
    cat(bad(effective_receptive_field(lstm), "mode"))
  })
})
