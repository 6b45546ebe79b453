# What the runs of a comparison are judged by besides their loss: scores on held-out rows, and the best linear model.

# ---- scores on the rows held out -----------------------------------------------------------------

# mase, accuracy and log_loss of a fit, in the units of the data; NA where they do not apply.
held_out_scores <- function(trained, loss) {
  task <- trained$task
  scores <- list(mase = NA_real_, accuracy = NA_real_, log_loss = NA_real_)
  if (!is_data_task(task) || nrow(task$data$x_test) == 0L) return(scores)
  if (has_classes(task)) {
    said <- stats::predict(trained, task$data$x_test, type = "class")
    scores$accuracy <- mean(as.integer(said) == max.col(task$data$y_test, "first"))
    scores$log_loss <- loss
  } else if (task$kind == "series") {
    errors <- abs(stats::predict(trained, task$data$x_test) - task$data$y_test)
    scores$mase <- mean(against(colMeans(errors), task$naive))
  }
  scores
}

# ---- the best linear model -----------------------------------------------------------------------

# The best linear model trained on the rows of a fit (with a constant where means are not zero);
# on the population it is the Bayes predictor.
linear_loss <- function(trained) {
  task <- trained$task
  rows <- trained$rows
  if (is.null(rows)) return(trained$bayes_loss)
  if (has_classes(task)) return(linear_class_loss(task, rows, trained$seed))
  if (is_data_task(task)) return(linear_row_loss(task, rows, trained$network$units))
  W <- root_weights(row_root(rows$x, rows$y, has_intercept(task)))
  trained$bayes_loss + root_excess(W, moment_root(task$moments, has_intercept(task)))
}

# Least squares of standardised columns with a constant, judged on the rows held out: neither the units nor the offset
# of a column changes it. Columns that are combinations of others share what they explain (least norm).
linear_row_loss <- function(task, rows, units) {
  if (nrow(task$data$x_test) == 0L) return(NA_real_)
  columns <- column_units(rows$x, seq_len(ncol(rows$x)))
  of_columns <- new_units(columns$centre, columns$scale, numeric(task$outputs), rep(1, task$outputs))
  W <- root_weights(row_root(units_in(rows$x, of_columns), rows$y, TRUE))
  held_out_loss(task, tcrossprod(cbind(units_in(task$data$x_test, of_columns), 1), W), units)
}

# Multinomial regression, trained on the same rows.
linear_class_loss <- function(task, rows, seed) {
  task$data[c("x", "y")] <- rows
  network <- new_network(task$input) |> layer_dense(task$outputs, bias = TRUE)
  quietly_warned(fit(network, task, seed = seed))$loss
}

# Losses as multiples of the null loss; NA where that is 0 or unknown.
against <- function(loss, null) ifelse(is.finite(null) & null > 0, loss / null, NA_real_)
