# The units that a fit takes from the rows that it trains on.

# The units of a fit on these rows (data units), with `outputs` the number of the network's outputs: NULL for a
# synthetic task and for standardise = FALSE. A channel that is both input and target has one centre. Outputs share one
# scale, the root of their mean variance, so that the loss that is minimised is the loss that is reported.
fit_units <- function(task, rows, outputs = task$outputs) {
  how <- task$standardise
  if (is.null(how) || identical(how, FALSE)) return(NULL)
  inputs <- column_units(rows$x, unit_groups(task$input), centred = how != "scale")
  if (has_classes(task)) return(new_units(inputs$centre, inputs$scale, numeric(outputs), rep(1, outputs)))
  m <- task$outputs
  outputs <- if (is.null(task$channel)) {
    column_units(rows$y, seq_len(m), centred = how != "scale")
  } else {
    lapply(inputs, `[`, task$channel)
  }
  if (how != "each") outputs$scale <- rep(sqrt(mean(outputs$spread^2)), m)
  outputs$scale[outputs$scale == 0] <- 1
  new_units(inputs$centre, inputs$scale, outputs$centre, outputs$scale)
}
