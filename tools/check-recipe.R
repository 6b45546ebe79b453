# Checks the toy layer of tools/check-recipe.sh: shape, names, printed output, tangent, and capacity in a linear and a
# nonlinear network.

library(capalloc)

# list(with, without): networks with and without the toy layer, of 32 inputs.
networks <- function(bend = identity) {
  build <- function(toy) {
    input_sequence(16, channels = 2) |> layer_conv(2, 4, stride = 4) |> toy() |> bend() |> layer_dense(1)
  }
  list(with = initialise(build(layer_toy), seed = 1), without = initialise(build(identity), seed = 1))
}

# The Jacobian of f at theta by central differences (values x parameters).
by_differences <- function(f, theta, h = 1e-5) {
  vapply(seq_along(theta), function(k) {
    moved <- function(sign) c(f(replace(theta, k, theta[[k]] + sign * h)))
    (moved(1) - moved(-1)) / (2 * h)
  }, numeric(length(f(theta))))
}

# ---- shape, names, output ----------------------------------------------------------------------------------

net <- networks()$with
theta <- coef(net)
toy <- grepl("^toy1", names(theta))
stopifnot(
  identical(net$layers[[2L]]$out_shape, net$layers[[1L]]$out_shape),
  identical(names(theta)[toy], sprintf("toy1.weight[%d,1]", 1:2)),
  any(grepl("toy1 .* toy ", capture.output(print(net))))
)

# ---- linear ------------------------------------------------------------------------------------------------

# The error of central differences is about h^2 and eps / h, 1e-10 or less.
weights <- function(theta) effective_weights(set_coef(net, theta))
stopifnot(max(abs(tangent(net) - by_differences(weights, theta))) < 1e-8)

# The layer multiplies the filters of the layer before it, so a network without it whose filters are multiplied by these
# numbers computes the same function. The parameters of the layer add no direction to the column space of the tangent,
# so both networks have the same capacities.
twin <- networks()$without
filters <- theta[!toy]
kernel <- grepl("^conv1", names(filters)) # filter x channel x tap, the first index fastest
filters[kernel] <- theta[toy] * filters[kernel]
twin <- set_coef(twin, unname(filters))
expected <- capacity(twin)
found <- capacity(net)
total <- glance(found)$total
stopifnot(
  max(abs(effective_weights(net) - effective_weights(twin))) < 1e-12,
  total < nrow(found),
  total == glance(expected)$total,
  max(abs(found$capacity - expected$capacity)) < 1e-10,
  any(grepl(paste("total", total, "of", length(theta), "parameters"), capture.output(print(found)), fixed = TRUE))
)

# ---- nonlinear ---------------------------------------------------------------------------------------------

# Capacity is the diagonal of the projector onto the column space of D. Here D is computed by central differences of the
# tangent maps at three inputs. Their error is far below the tolerance, and the tolerance far below the smallest nonzero
# singular value.
net <- networks(\(x) layer_activation(x, "tanh"))$with
x <- matrix(2 * sin((1:96)^2), 3)
maps <- function(theta) vapply(1:3, function(s) c(linearise(set_coef(net, theta), x[s, , drop = FALSE])), numeric(33))
D <- svd(by_differences(maps, coef(net)))
kept <- D$u[, D$d > 1e-7 * D$d[[1L]], drop = FALSE]
expected <- rowSums(matrix(rowSums(kept^2), 33))
found <- capacity(net, data = x)
stopifnot(glance(found)$total == ncol(kept), max(abs(found$capacity - expected)) < 1e-6)
