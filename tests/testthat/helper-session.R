# Helpers of tests that need a separate R process, and the state of a session that calls must not change.

# Runs R code in a separate process. Returns list(said, status): its output lines and its exit status. `memory` limits
# the address space (kilobytes), `set` has further environment variables.
session_of <- function(lines, memory = NULL, set = character(), env = parent.frame()) {
  skip_on_cran()
  skip_on_os("windows")
  libraries <- paste0(".libPaths(c(", paste0("'", .libPaths(), "'", collapse = ", "), "))")
  script <- withr::local_tempfile(fileext = ".R", lines = c(libraries, "library(capalloc)", lines), .local_envir = env)
  command <- paste(shQuote(c(file.path(R.home("bin"), "Rscript"), script)), collapse = " ")
  limit <- if (!is.null(memory)) sprintf("ulimit -v %.0f && ", memory)
  set <- c("OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", set) # the last value takes effect
  call <- sprintf("%s%s %s 2>&1", paste(limit, collapse = ""), paste(set, collapse = " "), command)
  said <- suppressWarnings(system2("sh", c("-c", shQuote(call)), stdout = TRUE, timeout = 120))
  list(said = as.vector(said), status = c(attr(said, "status"), 0L)[[1L]])
}

# Returns state that a call must not change: options, generators, graphical parameters that a user sets, and others.
session_state <- function(folders = character()) {
  drawn <- c("usr", "plt", "pin", "fin", "fig", "mfg", "new", "page", "xaxp", "yaxp", "xlog", "ylog", "cxy")
  stream <- globalenv()$.Random.seed
  par <- if (!is.null(grDevices::dev.list())) graphics::par(no.readonly = TRUE)
  list(
    options = options()[!names(options()) %in% ".testthat_expect"], kinds = RNGkind(), stream = stream,
    par = par[!names(par) %in% drawn], folder = getwd(), search = search(), variables = Sys.getenv(),
    devices = grDevices::dev.list(), connections = nrow(showConnections(all = TRUE)), locale = Sys.getlocale(),
    objects = ls(globalenv(), all.names = TRUE),
    files = lapply(folders, function(folder) {
      files <- list.files(folder, all.files = TRUE, recursive = TRUE, no.. = TRUE, full.names = TRUE)
      stats::setNames(as.list(file.mtime(files)), files)
    })
  )
}
