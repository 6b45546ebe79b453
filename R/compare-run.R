# One run of a comparison: a fit, the allocation of its capacity, and the columns of the run.

# The columns of a run, with their values for a run that failed.
run_columns <- list(
  n_params = NA_integer_, total_capacity = NA_real_, loss = NA_real_, train_loss = NA_real_,
  bayes_loss = NA_real_, linear_loss = NA_real_, excess_loss = NA_real_, converged = FALSE,
  gradient_norm = NA_real_, iterations = NA_integer_, seconds = NA_real_, error = NA_character_,
  rank_low = NA_integer_, rank_high = NA_integer_, undecided = NA, redraws = NA_integer_, decrement = NA_real_,
  excess_type = NA_character_, null_loss = NA_real_, relative_loss = NA_real_, relative_excess = NA_real_,
  mase = NA_real_, accuracy = NA_real_, log_loss = NA_real_
)

# One run of a comparison:
#   row         list of the columns `run_columns`
#   allocation  capacities of the inputs, NULL for a run that failed
#   lost        whether it failed because its worker was lost
new_run <- function(row, allocation, lost = FALSE) list(row = row, allocation = allocation, lost = lost)

# The run of one row of the design. Errors of fit() and capacity() give a failed run with the message.
run_one <- function(network, task, seed, n_obs, fitting) {
  tryCatch(
    {
      trained <- quietly_warned(do.call(fit, c(list(network, task, seed = seed, n_obs = n_obs), fitting)))
      allocation <- quietly_warned(capacity(trained))
      new_run(run_values(trained, allocation), allocation$capacity)
    },
    error = function(e) failed_run(network, flat_message(e))
  )
}

run_values <- function(trained, allocation) {
  g <- glance(trained)
  evidence <- glance(allocation)
  task <- trained$task
  linear <- scores_linear_loss(trained)
  of_data <- is_data_task(task)
  excess <- if (of_data) g$loss - linear else g$excess_loss
  null <- frame_field_or(g, "null_loss", null_loss(task))
  c(
    list(
      n_params = g$n_params, total_capacity = evidence$total, loss = g$loss, train_loss = g$train_loss,
      bayes_loss = g$bayes_loss, linear_loss = linear, excess_loss = excess,
      converged = g$converged, gradient_norm = g$gradient_norm, iterations = g$iterations,
      seconds = g$seconds, error = if (g$converged) NA_character_ else paste("not converged:", trained$outcome),
      rank_low = evidence$rank_low, rank_high = evidence$rank_high,
      undecided = frame_field_or(evidence, "undecided", evidence$rank_low < evidence$rank_high),
      redraws = frame_field_or(g, "redraws", 0L), decrement = frame_field_or(g, "decrement", NA_real_),
      excess_type = if (of_data) "versus linear" else
        frame_field_or(trained, "excess_type", if (is_linear(trained$network)) "exact" else "sampled"),
      null_loss = null, relative_loss = scores_against(g$loss, null), relative_excess = scores_against(excess, null)
    ),
    held_out_scores(trained, g$loss)
  )
}

failed_run <- function(network, message, lost = FALSE) {
  row <- run_columns
  row$n_params <- as.integer(n_params(network))
  row$error <- message
  new_run(row, NULL, lost)
}

# Whether each run did not fail. The training loss decides, since without held-out rows a data task has no loss.
has_run <- function(runs) !is.na(runs$train_loss)

run_data_tasks <- function(object) names(object$tasks)[vapply(object$tasks, is_data_task, NA)]
