# The table of activations.

#' @rdname layer_activation
#' @export
activations <- function() {
  light_frame(list(
    activation = c(
      "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh", "erf", "sin", "abs",
      "exp", "square", "reciprocal", "rsqrt", "selu", "softsign", "hard_sigmoid", "hard_swish", "mish", "relu6"
    ),
    formula = c(
      "u", "max(u, 0)", "max(u, 0) + parameter min(u, 0)", "u for u > 0, parameter (exp(u) - 1) below",
      "u pnorm(u)", "u / (1 + exp(-u))", "log(1 + exp(u))", "1 / (1 + exp(-u))", "tanh(u)",
      "2 pnorm(sqrt(2) u) - 1", "sin(parameter u)", "|u|",
      "exp(u)", "u^2", "1 / u", "1 / sqrt(u)", "1.0507 elu(u) with parameter 1.6733", "u / (1 + |u|)",
      "min(max(u + 3, 0), 6) / 6", "u min(max(u + 3, 0), 6) / 6", "u tanh(log(1 + exp(u)))", "min(max(u, 0), 6)"
    ),
    parameter = c(NA, NA, 0.01, 1, NA, NA, NA, NA, NA, NA, 1, NA, rep(NA, 10)),
    homogeneous = c(TRUE, TRUE, TRUE, rep(FALSE, 8), TRUE, rep(FALSE, 10))
  ))
}

# Where an activation or its derivative has a jump, apart from 0.
activation_kinks <- function(phi) {
  switch(phi, relu6 = 6, hard_sigmoid = c(-3, 3), hard_swish = c(-3, 3), numeric())
}

# Other names that libraries have for an activation.
activation_alias <- function(name) {
  aliases <- c(swish = "silu", hardswish = "hard_swish", hardsigmoid = "hard_sigmoid")
  if (is.character(name) && length(name) == 1L && name %in% names(aliases)) aliases[[name]] else name
}
