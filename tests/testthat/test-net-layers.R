# Every cell of the table of help("layers") and of the README is tried: "yes" means that the effective weights equal the
# twin's, "-" that the combination raises a classed error or has no such argument.

inputs <- list(
  sequence = input_sequence(6, channels = 2), grid = input_grid(4, 3, channels = 2), vector = input_vector(6)
)

keep <- function(x, ...) switch(shape_output_kind(x),
  vector = layer_dense(x, prod(output_shape(x)), ...),
  layer_conv(x, 2, 1, ...)
)

layers_of_table <- list(
  layer_dense = function(x, ...) layer_dense(x, 3, ...),
  layer_conv = function(x, ...) layer_conv(x, 2, 2, ...),
  layer_local = function(x, ...) layer_local(x, 2, 2, ...),
  layer_pool = function(x, ...) layer_pool(x, 2, ...),
  layer_upsample = function(x, ...) layer_upsample(x, 2, ...),
  layer_recurrent = function(x, ...) layer_recurrent(x, 2, output = "sequence", ...),
  layer_residual = function(x, ...) layer_residual(x, \(y) keep(y, ...)),
  layer_parallel = function(x, ...) layer_parallel(x, \(y) keep(y, ...), \(y) keep(y)),
  layer_last = function(x, ...) layer_last(x, ...),
  layer_flatten = function(x, ...) layer_flatten(x, ...),
  layer_activation = function(x, ...) layer_activation(x, "tanh", ...),
  layer_affine = function(x, ...) layer_affine(x, ...),
  layer_crop = function(x, ...) layer_crop(x, c(1, 0), ...),
  layer_pad = function(x, ...) layer_pad(x, c(1, 0), ...),
  layer_conv_transpose = function(x, ...) layer_conv_transpose(x, 2, 2, ...),
  layer_bidirectional = function(x, ...) layer_bidirectional(x, 2, output = "sequence", ...),
  layer_squeeze = function(x, ...) layer_squeeze(x, 2, ...),
  layer_shared = function(x, ...) layer_shared(x, "a", \(y) keep(y, ...)),
  layer_prelu = function(x, ...) layer_prelu(x, ...)
)

# Returns TRUE where a cell of the table works; the result is then compared with the twin.
cell <- function(layer, column) {
  build <- layers_of_table[[layer]]
  if (column == "bias") return("bias" %in% names(formals(getExportedValue("capalloc", layer))))
  from <- if (column == "several outputs") Filter(function(x) works(build, x), inputs)[[1L]] else inputs[[column]]
  if (!works(build, from)) return(FALSE)
  network <- build(from)
  if (column != "several outputs") network <- layer_dense(network, 1)
  x <- matrix(sin(seq_len(2 * prod(from$input$shape))), 2)
  if (column == "several outputs" && layer == "layer_activation") network <- layer_dense(from, 2) |> build()
  network <- with_test_coef(network, 1)
  expect_equal(predict(network, x), twin_predict(network, x), tolerance = 1e-10)
  if (column == "several outputs") expect_gt(ncol(predict(network, x)), 1)
  TRUE
}

works <- function(build, from) {
  tryCatch({
    build(from)
    TRUE
  }, capalloc_error = function(e) FALSE)
}

table_of <- function(lines) {
  rows <- grep("^\\| `?layer_", gsub("\\[(layer_[a-z_]+)\\(\\)\\]", "\\1", lines), value = TRUE)
  cells <- lapply(strsplit(rows, "|", fixed = TRUE), function(row) trimws(row[-1L]))
  found <- t(vapply(cells, function(row) row[2:6] == "yes", logical(5)))
  dimnames(found) <- list(
    sub("^`?(layer_[a-z_]+).*", "\\1", vapply(cells, function(row) row[[1L]], "")),
    c("sequence", "grid", "vector", "bias", "several outputs")
  )
  found
}

# The table as it is published.
layer_table <- rbind(
  layer_dense = c(TRUE, TRUE, TRUE, TRUE, TRUE),
  layer_conv = c(TRUE, TRUE, FALSE, TRUE, TRUE),
  layer_local = c(TRUE, TRUE, FALSE, TRUE, TRUE),
  layer_pool = c(TRUE, TRUE, FALSE, FALSE, TRUE),
  layer_upsample = c(TRUE, TRUE, FALSE, FALSE, TRUE),
  layer_recurrent = c(TRUE, FALSE, FALSE, TRUE, TRUE),
  layer_residual = c(TRUE, TRUE, TRUE, FALSE, TRUE),
  layer_parallel = c(TRUE, TRUE, TRUE, FALSE, TRUE),
  layer_last = c(TRUE, FALSE, FALSE, FALSE, TRUE),
  layer_flatten = c(TRUE, TRUE, TRUE, FALSE, TRUE),
  layer_activation = c(TRUE, TRUE, TRUE, FALSE, TRUE),
  layer_affine = c(TRUE, TRUE, TRUE, TRUE, TRUE),
  layer_crop = c(TRUE, TRUE, FALSE, FALSE, TRUE),
  layer_pad = c(TRUE, TRUE, FALSE, FALSE, TRUE),
  layer_conv_transpose = c(TRUE, TRUE, FALSE, TRUE, TRUE),
  layer_bidirectional = c(TRUE, FALSE, FALSE, FALSE, TRUE),
  layer_squeeze = c(TRUE, TRUE, FALSE, TRUE, TRUE),
  layer_shared = c(TRUE, TRUE, TRUE, FALSE, TRUE),
  layer_prelu = c(TRUE, TRUE, TRUE, FALSE, TRUE)
)
colnames(layer_table) <- c("sequence", "grid", "vector", "bias", "several outputs")

test_that("every cell of the table of layers is correct", {
  columns <- c("sequence", "grid", "vector", "bias", "several outputs")
  found <- t(vapply(names(layers_of_table), function(layer) {
    vapply(columns, function(column) cell(layer, column), NA)
  }, logical(5)))
  expect_identical(found, layer_table)
  # with a bias, for layers that have one
  for (layer in c("layer_dense", "layer_conv", "layer_local", "layer_recurrent")) {
    network <- with_test_coef(layers_of_table[[layer]](inputs$sequence, bias = TRUE), 2)
    expect_equal(unname(effective_weights(network)), twin_weights(network), tolerance = 1e-10)
  }
})

test_that("the README and the help page have the same table", {
  root <- Sys.getenv("CAPALLOC_SOURCE", "")
  skip_if(!file.exists(file.path(root, "README.md")), "the sources are not at hand")
  expect_identical(table_of(readLines(file.path(root, "README.md"))), layer_table)
  help <- sub("^#' ", "", readLines(file.path(root, "R", "net-layers.R")))
  expect_identical(table_of(help), layer_table)
})
