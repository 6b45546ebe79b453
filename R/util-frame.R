# Result frames: data frames of the classes `ca_<what>` and `ca_frame`, with attributes that describe the whole result.
# Subsetting, rbind() and dplyr verbs return plain data frames, so that no subset carries the total of the whole.

new_frame <- function(columns, class, ...) {
  structure(light_frame(columns, c(class, "ca_frame")), ...)
}

plain_frame <- function(x) {
  attributes(x) <- attributes(x)[c("names", "row.names")]
  class(x) <- "data.frame"
  x
}

#' @export
`[.ca_frame` <- function(x, ...) {
  out <- NextMethod()
  if (is.data.frame(out)) plain_frame(out) else out
}

# Called by dplyr's rename().
#' @export
`names<-.ca_frame` <- function(x, value) {
  x <- plain_frame(x)
  names(x) <- value
  x
}

#' @export
rbind.ca_frame <- function(...) {
  do.call(rbind, lapply(list(...), function(x) if (is.data.frame(x)) plain_frame(x) else x))
}

#' @export
as.data.frame.ca_frame <- function(x, ...) plain_frame(x)

#' @exportS3Method dplyr::dplyr_reconstruct
dplyr_reconstruct.ca_frame <- function(data, template) plain_frame(data)

# Binds the rows of several frames whose columns are plain vectors. Columns that a frame lacks are NA in its rows.
stack_frames <- function(frames) {
  if (length(frames) == 1L) return(plain_frame(frames[[1L]]))
  names <- unique(unlist(lapply(frames, names)))
  light_frame(lapply(stats::setNames(nm = names), function(name) {
    unlist(lapply(frames, function(frame) {
      if (is.null(frame[[name]])) rep(NA, nrow(frame)) else frame[[name]]
    }), use.names = FALSE)
  }))
}

# Makes a data frame from `columns`, a named list of vectors of equal lengths, much faster than data.frame().
light_frame <- function(columns, class = NULL) {
  attributes(columns) <- list(
    names = names(columns), row.names = .set_row_names(length(columns[[1L]])), class = c(class, "data.frame")
  )
  columns
}

# Returns the field `name` of a result, or `default` for results of versions without this field. `default` is evaluated
# only when it is needed.
frame_field_or <- function(x, name, default) if (is.null(x[[name]])) default else x[[name]]

# The rows of any result as a plain data frame.
#' @export
tidy.ca_frame <- function(x, ...) plain_frame(x)
