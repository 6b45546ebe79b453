# Arguments that have no effect in the case at hand. A user who gives one expects an effect, so that silence misleads.
# Seeds, limits of cost and sizes of blocks are exempt: without effect they change nothing that anybody relies on.

# Warns of the arguments `args`, a character vector, if there are any. `why`: the reason, with the way out; its
# expressions are evaluated in the caller's frame.
warn_unused <- function(args, why, .envir = parent.frame()) {
  if (length(args) == 0L) return(invisible())
  why <- cli::format_inline(gsub("\\s+", " ", why), .envir = .envir)
  warn(c("{.arg {args}} {?has/have} no effect here.", i = "{why}"), "unused", args = args)
}

# The names of the arguments that were given, of those that are listed: unused_of(a = missing(a), b = missing(b)).
unused_of <- function(...) {
  left_out <- c(...)
  names(left_out)[!left_out]
}
