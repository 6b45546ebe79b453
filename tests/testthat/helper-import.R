# Objects of package neuralnet, made by hand.

# Returns an untrained object of the form of neuralnet(): `weights[[repetition]][[layer]]` is (constant and inputs) x
# units. Its results are computed by loops over rows and units.
made_nn <- function(hidden = c(3, 2), outputs = 2, act = "logistic", linear.output = TRUE, repetitions = 1, seed = 1) {
  withr::local_seed(seed)
  data <- data.frame(wt = rnorm(12), hp = rnorm(12), qsec = rnorm(12))
  variables <- names(data)
  response <- matrix(rnorm(12 * outputs), 12, dimnames = list(NULL, paste0("y", seq_len(outputs))))
  sizes <- c(length(variables), hidden, outputs)
  layers <- seq_len(length(sizes) - 1)
  weights <- lapply(seq_len(repetitions), function(r) {
    lapply(layers, function(l) matrix(rnorm((sizes[l] + 1) * sizes[l + 1]), sizes[l] + 1))
  })
  act.fct <- switch(act,
    logistic = function(x) 1 / (1 + exp(-x)), tanh = function(x) tanh(x), relu = function(x) x * (x > 0),
    function(x) log(1 + exp(x))
  )
  attr(act.fct, "type") <- act
  nn <- list(
    call = quote(neuralnet()), response = response, covariate = as.matrix(data),
    model.list = list(response = colnames(response), variables = variables), err.fct = NULL, act.fct = act.fct,
    linear.output = linear.output, data = cbind(data, response), exclude = NULL, weights = weights
  )
  nn$net.result <- lapply(seq_len(repetitions), function(r) twin_nn(nn, nn$covariate, r))
  error <- vapply(nn$net.result, function(fitted) sum((response - fitted)^2) / 2, 0)
  nn$result.matrix <- rbind(error = error, reached.threshold = 0.01, steps = 100)
  structure(nn, class = "nn")
}

twin_nn <- function(nn, x, rep = 1) {
  t(apply(x, 1, function(row) {
    layers <- nn$weights[[rep]]
    for (l in seq_along(layers)) {
      sums <- numeric(ncol(layers[[l]]))
      for (k in seq_along(sums)) {
        sums[k] <- layers[[l]][1, k]
        for (j in seq_along(row)) sums[k] <- sums[k] + layers[[l]][j + 1, k] * row[j]
      }
      row <- if (l < length(layers) || !nn$linear.output) nn$act.fct(sums) else sums
    }
    row
  })) |> matrix(nrow(x))
}
