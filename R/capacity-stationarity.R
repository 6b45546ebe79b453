# Whether a network is at a stationary point of its loss. There J' eps = 0, on which the interpretation of capacity
# rests. Each result of capacity() contains the convergence number of its network on its data.

# Stationarity of a network:
#   gradient_norm  convergence number, or NA
#   converged      whether training converged; for a task as `data` whether the number is within the bound; or NA
#   bound          of the convergence number, or NA
#   origin         source of the number ("fit", "task"), or why it is NA ("untrained", "imported", "no response")
new_stationarity <- function(gradient_norm, converged, bound, origin) {
  list(gradient_norm = gradient_norm, converged = converged, bound = bound, origin = origin)
}

# The stationarity of the network of an allocation, on its `data` if there are any.
stationarity_of <- function(allocation) {
  network <- allocation$network
  trained <- network$trained
  x <- allocation$x
  known <- function(number, ...) new_stationarity(as.double(number), ...)
  if (inherits(allocation$data, "ca_task")) {
    bound <- if (is.null(trained)) stationarity_bound(network) else trained$tol
    number <- task_number(network, allocation$data)
    return(known(number, if (is.na(number)) NA else number <= bound, bound, "task"))
  }
  if (!is.null(allocation$data)) return(known(NA, NA, NA_real_, "no response"))
  if (!is.null(trained)) return(known(trained$gradient_norm, trained$converged, trained$tol, "fit"))
  if (inherits(x, "ca_fit")) return(known(x$gradient_norm, x$converged, x$control$tol, "fit"))
  known(NA, NA, NA_real_, if (isTRUE(network$imported)) "imported" else "untrained")
}

# The default bound of the convergence number in fit().
stationarity_bound <- function(network) if (is_linear(network)) 1e-10 else 1e-6

# A line of text for print(), or NULL where the network is at a stationary point.
stationarity_text <- function(stationarity) {
  not_forced <- "what the network could do at these coefficients, not what training forced"
  number <- stationarity$gradient_norm
  switch(stationarity$origin,
    untrained = paste0("not trained: ", not_forced),
    imported = "stationarity unknown: the network was imported",
    "no response" = "stationarity unknown: the data have no response",
    if (is.na(number)) {
      "stationarity unknown: the network has no convergence number on this task"
    } else if (number > 10 * stationarity$bound) {
      paste0("gradient norm ", format(number, digits = 2), ", more than 10 times the bound ",
        format(stationarity$bound, digits = 2), ": ", not_forced)
    }
  )
}
