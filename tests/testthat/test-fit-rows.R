# Training on rows: gradients and the convergence number against networks written out by hand, minima that are
# known otherwise, and what fits of such networks say.

quiet_fit <- function(...) suppressWarnings(fit(...), classes = "capalloc_warning_not_converged")

with_relu <- function() {
  c(smooth_cases(), list(relu = list(
    net = input_vector(3) |> layer_dense(5, bias = TRUE) |> layer_activation("relu") |>
      layer_dense(2, bias = TRUE),
    f = function(theta, x) two_layers(theta, x, 5, 2, relu)
  )))
}

random_theta <- function(net, seed) withr::with_seed(seed, stats::rnorm(capalloc:::n_params(net), sd = 0.7))

# ---- gradients -----------------------------------------------------------------------------------

test_that("loss, gradient and convergence number are those of the network written out", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 1)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    # 520 rows are more than a block and not a multiple of one.
    for (N in c(1, 7, 520)) for (loss in c("squared", "cross_entropy")) for (decay in c(0, 0.03)) {
      rows <- random_rows(N, n, m, loss, N)
      found <- core_row_gradient(case$net, theta, rows$x, rows$y, loss, decay)
      label <- paste(name, N, loss, decay)
      objective <- function(theta) plain_loss(case$f(theta, rows$x), rows$y, loss) + decay * sum(theta^2)
      # Both are exact: what differs is the order of sums.
      expect_equal(found$loss, objective(theta), tolerance = 1e-12, label = label)
      expect_equal(found$gradient, complex_step(objective, theta), tolerance = 1e-11, label = label)
      expect_equal(found$number, row_convergence(case$f, theta, rows$x, rows$y, loss, decay),
        tolerance = 1e-10, label = label)
    }
  }
})

test_that("at any theta D' eps is a multiple of the gradient", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 2)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    for (loss in c("squared", "cross_entropy")) {
      rows <- random_rows(9, n, m, loss, 3)
      gradient <- core_row_gradient(case$net, theta, rows$x, rows$y, loss)$gradient
      share <- if (loss == "squared") 9 / 2 else 9
      left <- dependencies_left(case$net, case$f, theta, rows, loss)
      # Sums of second derivatives of size 1 to 10.
      expect_lt(max(abs(left + share * gradient)), 1e-12 * 9 * 10, label = paste(name, loss))
      expect_gt(max(abs(left)), 0.1, label = paste(name, loss))
    }
  }
})
