# Checks the toy layer of tools/check-recipe.sh: shape, names, start values, tangent, capacity and print.

library(capalloc)

net <- input_sequence(5, channels = 2) |> layer_conv(3, 2) |> layer_toy() |> layer_dense(1)
stopifnot(
  identical(net$layers[[2L]]$out_shape, net$layers[[1L]]$out_shape),
  identical(grep("^toy1", names(coef(initialise(net, seed = 1))), value = TRUE), sprintf("toy1.weight[%d,1]", 1:3)),
  any(grepl("toy1 .* toy ", capture.output(print(net))))
)
theta <- coef(initialise(net, seed = 1))
J <- tangent(set_coef(net, theta))
h <- 1e-5
by_differences <- vapply(seq_along(theta), function(k) {
  moved <- function(sign) c(effective_weights(set_coef(net, theta + sign * h * (seq_along(theta) == k))))
  (moved(1) - moved(-1)) / (2 * h)
}, numeric(nrow(J)))
stopifnot(max(abs(J - by_differences)) < 1e-8)

# the toy layer only rescales channels, so it adds nothing to the rank
with_toy <- capacity(set_coef(net, theta))
without <- input_sequence(5, channels = 2) |> layer_conv(3, 2) |> layer_dense(1)
stopifnot(glance(with_toy)$total == glance(capacity(initialise(without, seed = 1)))$total)
