# Tasks and their moments in the standardised coordinates of a network.

# Returns the second moments and means of a task in standardised coordinates. `moments` are in data units.
units_moments_in <- function(moments, units) {
  if (is.null(units)) return(moments)
  centred <- root_subtract_means(moments)
  mean_x <- (moments$mean_x - units$centre_x) / units$scale_x
  mean_y <- (moments$mean_y - units$centre_y) / units$scale_y
  new_task_moments(
    centred$sigma / tcrossprod(units$scale_x) + tcrossprod(mean_x),
    centred$cross / tcrossprod(units$scale_x, units$scale_y) + tcrossprod(mean_x, mean_y),
    centred$target / tcrossprod(units$scale_y) + tcrossprod(mean_y), mean_x, mean_y
  )
}

# Returns a task with its moments and rows in standardised coordinates. Classes are not changed.
task_in <- function(task, units) {
  if (is.null(task) || is.null(units)) return(task)
  task$moments <- units_moments_in(task$moments, units)
  if (!is_data_task(task)) return(task)
  for (x in c("x", "x_test")) task$data[[x]] <- units_in(task$data[[x]], units)
  if (!has_task_classes(task)) for (y in c("y", "y_test")) task$data[[y]] <- units_response_in(task$data[[y]], units)
  task
}
