# Scores on held-out rows, and the loss of the best linear model, which the runs of a comparison report besides their
# own loss.

# ---- scores on held-out rows ---------------------------------------------------------------------

# list(mase, accuracy, log_loss) of a fit on its held-out rows, in the units of the data. A score that does not apply is
# NA.
held_out_scores <- function(trained, loss) {
  task <- trained$task
  scores <- list(mase = NA_real_, accuracy = NA_real_, log_loss = NA_real_)
  if (!is_data_task(task) || nrow(task$data$x_test) == 0L) return(scores)
  if (has_task_classes(task)) {
    said <- stats::predict(trained, task$data$x_test, type = "class")
    scores[c("accuracy", "log_loss")] <- class_scores(trained, said, loss)
  } else if (task$kind == "series") {
    errors <- abs(stats::predict(trained, task$data$x_test) - task$data$y_test)
    scores$mase <- mean(scores_against(colMeans(errors), task$naive))
  }
  scores
}

# list(accuracy, log_loss) of the classes `said` for the held-out rows. Rows have their weights, classes have none.
class_scores <- function(trained, said, loss) {
  task <- trained$task
  y <- task$data$y_test
  weight <- without_class_weights(task, y, task$data$test_weight)
  hit <- matrix(as.double(as.integer(said) == max.col(y, "first")))
  if (!is.null(task$class_weights)) {
    loss <- row_loss(predict_network_outputs(trained$network, task$data$x_test), y, "cross_entropy", weight)
  }
  list(accuracy = weighted_means(hit, weight), log_loss = loss)
}

# ---- the best linear model -----------------------------------------------------------------------

# The loss of the best linear model, trained on the rows of a fit and evaluated like the fit. It has a constant if the
# means of the task are not zero. For a fit without rows, on population moments, it is the Bayes loss.
scores_linear_loss <- function(trained) {
  task <- trained$task
  rows <- trained$rows
  if (is.null(rows)) return(trained$bayes_loss)
  if (has_task_classes(task)) return(scores_linear_class_loss(task, rows, trained$seed))
  if (is_data_task(task)) return(scores_linear_row_loss(task, rows, trained$network$units))
  W <- root_weights(row_root(rows$x, rows$y, has_task_intercept(task)))
  trained$bayes_loss + root_excess(W, moment_root(task$moments, has_task_intercept(task)))
}

# The held-out loss of least squares with a constant. Columns are standardised, so that neither units nor offsets of
# columns change it. Where columns are collinear, the solution has the least norm. NA without held-out rows.
scores_linear_row_loss <- function(task, rows, units) {
  if (nrow(task$data$x_test) == 0L) return(NA_real_)
  columns <- column_units(rows$x, seq_len(ncol(rows$x)), weight = rows$weight)
  of_columns <- new_units(columns$centre, columns$scale, numeric(task$outputs), rep(1, task$outputs))
  W <- root_weights(row_root(units_in(rows$x, of_columns), rows$y, TRUE, rows$weight))
  held_out_loss(task, tcrossprod(cbind(units_in(task$data$x_test, of_columns), 1), W), units)
}

# The loss of multinomial regression, trained on the same rows.
scores_linear_class_loss <- function(task, rows, seed) {
  task <- put_task_rows(task, rows)
  network <- new_network(task$input) |> layer_dense(task$outputs, bias = TRUE)
  quietly_warned(fit(network, task, seed = seed))$loss
}

# Losses as multiples of the null loss, NA where the null loss is 0 or not finite.
scores_against <- function(loss, null) ifelse(is.finite(null) & null > 0, loss / null, NA_real_)
