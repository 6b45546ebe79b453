# The table of activations.

#' @rdname layer_activation
#' @export
activations <- function() {
  light_frame(list(
    activation = c(
      "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh", "erf", "sin", "abs"
    ),
    formula = c(
      "u", "max(u, 0)", "max(u, 0) + parameter min(u, 0)", "u for u > 0, parameter (exp(u) - 1) below",
      "u pnorm(u)", "u / (1 + exp(-u))", "log(1 + exp(u))", "1 / (1 + exp(-u))", "tanh(u)",
      "2 pnorm(sqrt(2) u) - 1", "sin(parameter u)", "|u|"
    ),
    parameter = c(NA, NA, 0.01, 1, NA, NA, NA, NA, NA, NA, 1, NA),
    homogeneous = c(TRUE, TRUE, TRUE, FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, TRUE)
  ))
}
