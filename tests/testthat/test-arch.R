# Behaviour that all presets share: inputs, outputs, bias. Each family has its own test file.

presets <- list(
  dense = arch_dense, deep = arch_deep, low_rank = arch_low_rank, local = arch_local, conv = arch_conv,
  dilated = arch_dilated, separable = arch_separable, residual = arch_residual, densenet = arch_densenet,
  strided = arch_strided, pooled = arch_pooled, hierarchical = arch_hierarchical, unet = arch_unet,
  recurrent = arch_recurrent, conv_recurrent = arch_conv_recurrent
)
for_sequences <- c("recurrent", "conv_recurrent")
for_vectors <- c("dense", "deep")

test_that("a length is a sequence with one channel, and layers can be added before and after a preset", {
  for (arch in presets) expect_identical(arch(16), arch(input_sequence(16)))
  begun <- input_sequence(16) |> layer_pool(2)
  expect_identical(nrow(summary(arch_conv(begun, kernel = 2))), 5L)
  expect_identical(params(arch_dense(input_vector(5), outputs = 3)), 15)
  net <- arch_recurrent(16, units = 2) |> layer_dense(2)
  expect_identical(params(net), 2 * 2 + 4 + 2)
})

test_that("presets have no coefficients and return one vector of outputs", {
  for (arch in presets) for (m in c(1, 3)) {
    net <- arch(16, outputs = m)
    expect_s3_class(net, "ca_network")
    expect_null(net$coef)
    expect_identical(net$layers[[length(net$layers)]]$out_kind, "vector")
    expect_identical(dim(effective_weights(initialise(net, seed = 1))), c(as.integer(m), 16L))
  }
})

test_that("all presets but the recurrent accept grids, and the dense accept vectors", {
  for (name in setdiff(names(presets), for_sequences)) {
    net <- presets[[name]](input_grid(12, 11, channels = 2), outputs = 2)
    expect_identical(dim(effective_weights(initialise(net, seed = 1))), c(2L, 264L))
  }
  for (name in for_sequences) {
    text <- bad(presets[[name]](input_grid(12, 11)), "shape")
    expect_match(text, "must be a sequence")
    expect_match(text, "a grid of 12 x 11")
  }
  for (name in setdiff(names(presets), for_vectors)) {
    expect_match(bad(presets[[name]](input_vector(12)), "shape"), "a vector of 12")
  }
  for (name in for_vectors) expect_s3_class(presets[[name]](input_vector(12)), "ca_network")
})

test_that("a bias adds one parameter per output and an (Intercept)", {
  for (arch in c(presets, \(...) arch_dilated(..., skip = TRUE), \(...) arch_recurrent(..., units = 2, depth = 2))) {
    with <- arch(13, outputs = 2, bias = TRUE)
    expect_identical(params(with), params(arch(13, outputs = 2)) + 2)
    k <- suppressWarnings(capacity(initialise(with, seed = 1)), classes = "capalloc_warning_rank_gap")
    expect_identical(k$input[[14]], "(Intercept)")
    # The constant is free for each output.
    expect_equal(k$capacity[[14]], 2, tolerance = 1e-10)
  }
})

# ---- bad arguments -------------------------------------------------------------------------------

test_that("bad inputs are refused by class", {
  texts <- c(
    bad(arch_dense("a"), "type"),
    bad(arch_conv(NULL), "type"),
    bad(arch_dilated(0), "value"),
    bad(arch_strided(c(8, 16)), "value"),
    bad(arch_pooled(8.5), "value"),
    bad(arch_recurrent(NA_real_), "value"),
    bad(arch_residual(classical_tasks(8)$ar), "type"),
    bad(arch_unet(data.frame(x = 1:8)), "type"),
    bad(arch_separable(ts(1:8)), "value"),
    bad(arch_local(factor(8)), "type"),
    bad(arch_conv(input_vector(8)), "shape"),
    bad(arch_recurrent(input_vector(8)), "shape"),
    bad(arch_recurrent(input_grid(4, 2)), "shape"),
    bad(arch_dilated(arch_dense(8)), "shape")
  )
  expect_snapshot(writeLines(texts))
})

test_that("every preset refuses invalid inputs", {
  for (arch in presets) {
    expect_match(bad(arch("a"), "type"), "`input`")
    expect_error(arch(NULL), class = "capalloc_error_type")
    expect_error(arch(1.5), class = "capalloc_error_value")
    expect_error(arch(NA_real_), class = "capalloc_error_value")
  }
})

test_that("an error about the number of outputs names `outputs`", {
  for (arch in presets) expect_match(bad(arch(16, outputs = 0), "value"), "`outputs`")
  for (m in list(1.5, NA, "2", NULL)) expect_match(bad(arch_unet(16, outputs = m), "value"), "`outputs`")
  expect_match(bad(arch_dilated(16, outputs = 0, skip = TRUE), "value"), "`outputs`")
})

test_that("a bad bias is refused by every preset", {
  for (arch in c(presets, \(...) arch_dilated(..., skip = TRUE))) {
    expect_match(bad(arch(16, bias = NA), "value"), "`bias`")
    expect_error(arch(16, bias = "yes"), class = "capalloc_error_value")
  }
})

test_that("an error is reported as that of the preset that was called", {
  call_of <- function(code) as.character(rlang::catch_cnd(code, "error")$call[[1]])
  expect_identical(call_of(arch_strided(16, filters = c(0, 1))), "arch_strided")
  expect_identical(call_of(arch_dilated(16, filters = 0, skip = TRUE)), "arch_dilated")
  expect_identical(call_of(arch_dilated(16, outputs = 0, skip = TRUE)), "arch_dilated")
  expect_identical(call_of(arch_conv(input_vector(3))), "arch_conv")
  expect_identical(call_of(arch_unet(16, outputs = 0)), "arch_unet")
  expect_identical(call_of(arch_low_rank(16, outputs = 0)), "arch_low_rank")
  expect_identical(call_of(arch_recurrent(16, units = 0)), "arch_recurrent")
})

test_that("presets take an activation for their layers, which changes no number of parameters", {
  presets <- list(arch_conv = arch_conv, arch_dilated = arch_dilated, arch_separable = arch_separable,
    arch_residual = arch_residual, arch_densenet = arch_densenet, arch_deep = arch_deep, arch_low_rank = arch_low_rank,
    arch_local = arch_local, arch_strided = arch_strided, arch_pooled = arch_pooled,
    arch_hierarchical = arch_hierarchical, arch_unet = arch_unet, arch_recurrent = arch_recurrent,
    arch_conv_recurrent = arch_conv_recurrent)
  for (name in names(presets)) {
    net <- presets[[name]](16, activation = "tanh")
    expect_false(is_linear(net), label = name)
    expect_true(is_linear(presets[[name]](16)), label = name)
    expect_equal(sum(summary(net)$parameters), sum(summary(presets[[name]](16))$parameters), label = name)
    expect_error(presets[[name]](16, activation = "quantum"), class = "capalloc_error_value")
  }
  expect_false(is_linear(arch_dilated(16, skip = TRUE, activation = "relu")))
})
