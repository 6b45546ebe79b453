# Shapes of the outputs of layers: c(channels, height, width). A sequence has height 1, a vector has one position.

output_shape <- function(network) {
  n <- length(network$layers)
  if (n == 0L) network$input$shape else network$layers[[n]]$out_shape
}

shape_output_kind <- function(network) {
  n <- length(network$layers)
  if (n == 0L) network$input$kind else network$layers[[n]]$out_kind
}

shape_output_size <- function(network) prod(output_shape(network))

# Returns text such as "a sequence of 64", for messages and printing.
describe_input_shape <- function(input) {
  describe_shape(input$shape, input$kind)
}

describe_shape <- function(shape, kind) {
  channels <- if (shape[[1L]] > 1L) paste0(" with ", shape[[1L]], " channels") else ""
  switch(kind,
    vector = paste("a vector of", shape[[1L]]),
    sequence = paste0("a sequence of ", shape[[3L]], channels),
    grid = paste0("a grid of ", shape[[2L]], " x ", shape[[3L]], channels)
  )
}
