# Inputs of the fuzzer, in the format of fuzz/describe.h.
# Call: Rscript fuzz/corpus.R seeds FOLDER          descriptions of the networks of the tests, and of some more
#       Rscript fuzz/corpus.R unpack FILE FOLDER    one file for each line of hexadecimal digits; # starts a comment
#       Rscript fuzz/corpus.R pack FOLDER FILE      the reverse

number <- function(x) {
  x <- as.integer(x)
  if (x < -16L || x > 4095L) stop("a number that no seed can hold: ", x)
  if (x <= 207L) as.raw(x + 16L) else as.raw(c(240L + x %/% 256L, x %% 256L))
}

numbers <- function(x) unlist(lapply(x, number))

byte <- function(x) as.raw(x)

scales <- function(x) byte(pmin(255, pmax(0, round(128 + 16 * as.double(x)))))

# The byte before an operation: its kind, from 0 on, or one of the other forms of describe.c.
kinds <- function() setdiff(capalloc:::operation_table()$name, "input")
recurrence <- function() length(kinds())
repetition <- function() length(kinds()) + 1L
all_fields <- function() length(kinds()) + 2L

operation <- function(op) {
  phi <- if (op$kind == "phi") match(op$phi, capalloc::activations()$activation) - 1L else 0L
  c(
    byte(all_fields()), byte(match(op$kind, kinds()) - 1L), byte(length(op$from)), numbers(op$from), numbers(op$shape),
    numbers(op$window), number(op$groups), byte(op$shared), number(op$theta), number(op$loop), byte(phi),
    scales(op$scale)
  )
}

# The bytes that describe a network, without faults, with values of sort `sort`. `i` selects the other options.
seed_of <- function(network, i, sort) {
  graph <- capalloc:::lower_network(network)
  options <- c(4L * (i %% 2L), sort, i %% 7L, i %% 5L, i %% 8L, 0L, i, 7L * sort)
  c(
    byte(options), numbers(graph$input), number(graph$output), number(graph$n_params),
    unlist(lapply(graph$ops, operation))
  )
}

# Descriptions of operations that fit their inputs: one of each kind, a recurrence, a repetition.
fitted_seeds <- function() {
  head <- c(4L, 0L, 2L, 3L, 0L, 0L, 5L, 9L, 18L, 17L, 24L, 15L, 15L) # 2 channels x 1 x 8
  ops <- list(
    c(0L, 0L, 1L, 5L, 2L), c(1L, 0L, 1L, 4L, 136L), c(2L, 0L, 1L), c(3L, 0L, 1L, 1L, 144L, 136L), c(4L, 0L, 1L, 0L),
    c(5L, 0L), c(6L, 0L, 140L, 8L), c(7L, 0L, 0L), c(8L, 0L, 1L, 4L), c(recurrence(), 3L, 0L, 8L), c(repetition(), 19L)
  )
  one <- lapply(ops, function(op) c(head, op, 0L, 0L, 0L, 0L, 1L))
  lapply(c(one, list(c(head, unlist(ops)), c(head, unlist(rev(ops))))), byte)
}

# Convolutions whose runs are contracted together (src/runs.c): many channels, one output, and grids.
wide_networks <- function() {
  list(
    echo = input_sequence(20) |> layer_conv(4, 3) |> layer_conv(2, 3) |> layer_conv(1, 16),
    many = input_sequence(12) |> layer_conv(6, 2) |> layer_conv(5, 3) |> layer_conv(1, 2) |> layer_dense(1),
    grid = input_grid(5, 6) |> layer_conv(5, c(2, 3)) |> layer_conv(1, c(2, 2)) |> layer_dense(1),
    valley = input_sequence(8) |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "same", bias = TRUE)) |>
      layer_pool(2) |> layer_upsample(2, size = 8) |> layer_recurrent(1, bias = TRUE)
  )
}

seeds <- function(folder) {
  library(capalloc)
  helpers <- new.env(parent = asNamespace("capalloc"))
  sys.source(file.path(Sys.getenv("CAPALLOC_SOURCE", "."), "tests", "testthat", "helper-ffi.R"), helpers)
  networks <- c(helpers$ffi_networks(), helpers$ffi_curved_networks(), wide_networks())
  found <- fitted_seeds()
  for (i in seq_along(networks)) for (sort in c(0L, 3L, 4L, 6L)) {
    found <- c(found, list(seed_of(networks[[i]], i, sort)))
  }
  for (i in seq_along(found)) writeBin(found[[i]], file.path(folder, sprintf("seed-%03d", i)))
}

unpack <- function(file, folder) {
  lines <- trimws(sub("#.*", "", readLines(file)))
  lines <- lines[nzchar(lines)]
  for (i in seq_along(lines)) {
    at <- seq(1L, nchar(lines[[i]]), by = 2L)
    bytes <- as.raw(strtoi(substring(lines[[i]], at, at + 1L), 16L))
    writeBin(bytes, file.path(folder, sprintf("%s-%05d", sub("[.]txt$", "", basename(file)), i)))
  }
}

pack <- function(folder, file) {
  files <- list.files(folder, full.names = TRUE)
  hex <- vapply(files, function(one) paste(readBin(one, "raw", file.size(one)), collapse = ""), "")
  hex <- sort(hex[nzchar(hex)], method = "radix")
  writeLines(hex[order(nchar(hex))], file)
}

arguments <- commandArgs(TRUE)
actions <- list(seeds = seeds, unpack = unpack, pack = pack)
action <- if (length(arguments) > 0L) actions[[arguments[[1L]]]]
if (is.null(action) || length(arguments) != 1L + length(formals(action))) {
  stop("call: Rscript fuzz/corpus.R seeds FOLDER | unpack FILE FOLDER | pack FOLDER FILE")
}
do.call(action, as.list(arguments[-1L]))
