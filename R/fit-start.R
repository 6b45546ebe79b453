# Starts: one run for each seed, drawn again where training ended above the null loss; and the user's coefficients
# re-expressed in the units of the task.

# Returns a list with one run for each seed. The first starts from the network's coefficients, if it has any; the others
# start from drawn coefficients. train(start, seed) returns a run.
train_each_start <- function(network, seeds, null, decay = 0, train) {
  lapply(seq_along(seeds), function(i) {
    own <- i == 1L && !is.null(network$coef)
    run <- if (own) train(network$coef, seeds[[i]]) else train_drawn_start(network, seeds[[i]], null, decay, train)
    if (own) run$redraws <- 0L
    run
  })
}

most_redraws <- 5L

# Returns the run of a drawn start. A start of a network that is not convex is drawn again, at most `most_redraws`
# times, while training ends with a loss (without its penalty) above `null`, the null loss: such a start lies in a
# region that training does not leave, for example where a recurrence explodes. The run with the least loss is kept,
# with the number of redraws as `redraws`.
train_drawn_start <- function(network, seed, null, decay, train) {
  run <- train(initialise_coef(network, "glorot", seed), seed)
  redraws <- 0L
  if (!is_convex(network) && is_start_bad(run, null, decay)) {
    for (again in derive_seeds(seed, most_redraws)) {
      redraws <- redraws + 1L
      other <- train(initialise_coef(network, "glorot", again), again)
      if (!(start_run_loss(run) <= start_run_loss(other))) run <- other
      if (!is_start_bad(run, null, decay)) break
    }
  }
  run$redraws <- redraws
  run
}

# The loss by which runs are ranked: infinite for a run that diverged, so that it is never the best.
start_run_loss <- function(run) if (run$outcome == "diverged" || is.na(run$loss)) Inf else run$loss

# Whether the loss of a run without its penalty exceeds the null loss.
is_start_bad <- function(run, null, decay) start_run_loss(run) - decay * sum(run$coef^2) > null * (1 + 1e-6)

# ---- coefficients in other units ---------------------------------------------------------------------

# The network in units of the task. Its coefficients are re-expressed, so that it remains the same function of the data.
# Coefficients drawn by initialise() have no units and are kept unchanged.
start_in_units <- function(network, units, call = rlang::caller_env()) {
  old <- network$units
  drawn <- isTRUE(network$drawn)
  network <- forget_training(network)
  network$units <- units
  if (is.null(network$coef) || drawn) return(network)
  change <- start_units_change(old, units, input_size(network$input), shape_output_size(network))
  if (is.null(change)) return(network)
  first <- start_reexpress_inputs(network, change, call)
  start_reexpress_outputs(first, change, call)
}

# A change of units: x_old = a x_new + b for each input, y_new = gain y_old + shift for each output.
new_start_units_change <- function(a, b, gain, shift) list(a = a, b = b, gain = gain, shift = shift)

# The change from the units `old` to `new` of n inputs and m outputs; NULL where nothing changes.
start_units_change <- function(old, new, n, m) {
  if (identical(old, new)) return(NULL)
  none <- new_units(numeric(n), rep(1, n), numeric(m), rep(1, m))
  if (is.null(old)) old <- none
  if (is.null(new)) new <- none
  new_start_units_change(
    a = new$scale_x / old$scale_x, b = (new$centre_x - old$centre_x) / old$scale_x,
    gain = old$scale_y / new$scale_y, shift = (old$centre_y - new$centre_y) / new$scale_y
  )
}

# Re-expresses the first layer: its weights become W diag(a), and W b is added to its bias. An error where this is not
# exact: only dense layers and unpadded convolutions with one group can absorb a change of units.
start_reexpress_inputs <- function(network, change, call) {
  if (all(change$a == 1) && all(change$b == 0)) return(network)
  layer <- network$layers[[1L]]
  ok <- layer$kind == "dense" || layer$kind == "conv" && identical(layer$padding,
    "valid") && is_start_single_group(layer)
  if (!ok || (any(change$b != 0) && is.null(layer$params$bias))) abort_start_units(call)
  size <- prod(layer$params[[1L]])
  W <- array(network$coef[seq_len(size)], layer$params[[1L]])
  # a coordinate with the units of each column of W; for a convolution that of its channel at the first position
  of <- if (layer$kind == "dense") seq_len(dim(W)[[2L]]) else rep_len(seq_len(dim(W)[[2L]]), length(W) / dim(W)[[1L]])
  W <- matrix(W, dim(W)[[1L]])
  network$coef[seq_len(size)] <- W * rep(change$a[of], each = nrow(W))
  if (is.null(layer$params$bias)) return(network)
  at <- size + seq_len(nrow(W))
  network$coef[at] <- network$coef[at] + drop(W %*% change$b[of])
  network
}

is_start_single_group <- function(layer) is.null(layer$groups) || layer$groups == 1L

# Re-expresses the last layer other than "last" and "flatten", which only select positions. An error where this is not
# exact: the layer must be dense, or a convolution with the same units for all outputs of a filter.
start_reexpress_outputs <- function(network, change, call) {
  if (all(change$gain == 1) && all(change$shift == 0)) return(network)
  kinds <- vapply(network$layers, function(layer) layer$kind, "")
  last <- max(which(!kinds %in% c("last", "flatten")), 1L)
  layer <- network$layers[[last]]
  has <- !is.null(layer$params$bias)
  if (!layer$kind %in% c("dense", "conv") || (any(change$shift != 0) && !has)) abort_start_units(call)
  rows <- layer$params[[1L]][[1L]]
  of <- rep_len(seq_len(rows), shape_output_size(network))
  gain <- change$gain[seq_len(rows)]
  shift <- change$shift[seq_len(rows)]
  if (any(change$gain != gain[of]) || any(change$shift != shift[of])) abort_start_units(call)
  p <- length(network$coef)
  at <- p - network_own_params(layer) + seq_len(prod(layer$params[[1L]]))
  network$coef[at] <- network$coef[at] * gain
  if (has) network$coef[p - rows + seq_len(rows)] <- network$coef[p - rows + seq_len(rows)] * gain + shift
  network
}

abort_start_units <- function(call) {
  abort(c(
    "The coefficients of {.arg object} cannot be expressed in the units of the {.arg task}.",
    x = "The task is standardised, and a change of centre and scale is exact only in dense layers and convolutions
      without padding, with a bias.",
    i = "Start without coefficients, or make the task with {.code standardise = FALSE}."
  ), "units", call = call)
}
