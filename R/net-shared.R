# Weights that are used in several places of a network. The first layer with a name holds the block and its parameters;
# later ones hold the layers of their block in `reuse`, without parameters of their own, and read those of the first.

# Returns a layer about to follow `layers`, with the shared blocks in it that occur before turned into references.
share_layer <- function(layer, layers, call = rlang::caller_env()) {
  if (!holds_shared(layer)) return(layer)
  seen <- new.env(parent = emptyenv())
  for (before in layers) note_shared(before, seen)
  reference_shared(layer, seen, call)
}

holds_shared <- function(layer) {
  layer$kind == "shared" ||
    any(vapply(layer$blocks, function(block) any(vapply(block, holds_shared, NA)), NA))
}

# Records the arrays of the shared blocks in a layer by their names.
note_shared <- function(layer, seen) {
  for (block in layer$blocks) {
    if (layer$kind == "shared") assign(layer$name, shared_arrays(block), envir = seen)
    for (inner in block) note_shared(inner, seen)
  }
}

# Dimensions of all arrays of a block, to compare two blocks.
shared_arrays <- function(layers) {
  lapply(layers, function(layer) {
    list(layer$kind, layer$params, lapply(c(layer$blocks, list(layer$reuse)), shared_arrays))
  })
}

reference_shared <- function(layer, seen, call) {
  if (layer$kind == "shared" && !is.null(layer$reuse)) return(layer)
  known <- if (layer$kind == "shared") get0(layer$name, envir = seen, inherits = FALSE)
  if (!is.null(known)) {
    if (!identical(known, shared_arrays(layer$blocks[[1L]]))) {
      abort(c(
        "The blocks of {.fn layer_shared} with the same name must have the same layers and numbers of weights.",
        x = "Those of {.val {layer$name}} differ.",
        i = "Inputs of a different number of channels need weights of a different size."
      ), "shape", call = call)
    }
    layer$reuse <- lapply(layer$blocks[[1L]], reference_shared, seen, call)
    layer$blocks <- NULL
    return(layer)
  }
  arrays <- if (layer$kind == "shared") shared_arrays(layer$blocks[[1L]])
  layer$blocks <- lapply(layer$blocks, lapply, reference_shared, seen, call)
  if (layer$kind == "shared") assign(layer$name, arrays, envir = seen)
  layer
}
