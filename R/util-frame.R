# Result frames: data frames with a light class (`ca_<what>`, `ca_frame`) and
# attributes that speak of the whole. Taking rows, rbind or a dplyr verb gives
# back a plain data frame, so that no subset carries a total that is not its own.

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

# dplyr's rename() goes through here.
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

# Rows of several frames of plain vectors, one after the other; NA in a column that a frame has not.
stack_frames <- function(frames) {
  if (length(frames) == 1L) return(plain_frame(frames[[1L]]))
  names <- unique(unlist(lapply(frames, names)))
  light_frame(lapply(stats::setNames(nm = names), function(name) {
    unlist(lapply(frames, function(frame) {
      if (is.null(frame[[name]])) rep(NA, nrow(frame)) else frame[[name]]
    }), use.names = FALSE)
  }))
}

# data.frame() without its cost: `columns` are a named list of equal lengths.
light_frame <- function(columns, class = NULL) {
  attributes(columns) <- list(
    names = names(columns), row.names = .set_row_names(length(columns[[1L]])), class = c(class, "data.frame")
  )
  columns
}

# A field of a result, or `default` where the version that made it had none. The default is computed only then.
field_or <- function(x, name, default) if (is.null(x[[name]])) default else x[[name]]
