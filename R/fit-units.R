# The units of a fit: centres and scales of its training rows.

# The units of a fit on `rows` (in data units), or NULL for synthetic tasks and standardise = FALSE. `outputs` is the
# number of outputs of the network, which for classes can differ from that of the task. A channel of a series that is
# both input and target has one centre. Unless standardise = "each", all outputs share one scale, the root of their mean
# variance, so that the minimised loss is a multiple of the reported one.
fit_units <- function(task, rows, outputs = task$outputs) {
  how <- task$standardise
  if (is.null(how) || identical(how, FALSE)) return(NULL)
  inputs <- column_units(rows$x, unit_groups(task$input), centred = how != "scale", weight = rows$weight)
  if (has_task_classes(task)) return(new_units(inputs$centre, inputs$scale, numeric(outputs), rep(1, outputs)))
  m <- task$outputs
  outputs <- if (is.null(task$channel)) {
    column_units(rows$y, seq_len(m), centred = how != "scale", weight = rows$weight)
  } else {
    lapply(inputs, `[`, task$channel)
  }
  if (how != "each") outputs$scale <- rep(sqrt(mean(outputs$spread^2)), m)
  outputs$scale[outputs$scale == 0] <- 1
  new_units(inputs$centre, inputs$scale, outputs$centre, outputs$scale)
}
