# What tests that need an R process of their own share, and what a session is seen by from outside.

# The lines that R code says in a process of its own, and how it ended: list(said, status). `memory`: kilobytes of
# address space, `set` further variables of its surroundings.
session_of <- function(lines, memory = NULL, set = character(), env = parent.frame()) {
  skip_on_cran()
  skip_on_os("windows")
  libraries <- paste0(".libPaths(c(", paste0("'", .libPaths(), "'", collapse = ", "), "))")
  script <- withr::local_tempfile(fileext = ".R", lines = c(libraries, "library(capalloc)", lines), .local_envir = env)
  command <- paste(shQuote(c(file.path(R.home("bin"), "Rscript"), script)), collapse = " ")
  limit <- if (!is.null(memory)) sprintf("ulimit -v %.0f && ", memory)
  set <- c("OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", set) # the last one counts
  call <- sprintf("%s%s %s 2>&1", paste(limit, collapse = ""), paste(set, collapse = " "), command)
  said <- suppressWarnings(system2("sh", c("-c", shQuote(call)), stdout = TRUE, timeout = 120))
  list(said = as.vector(said), status = c(attr(said, "status"), 0L)[[1L]])
}

# What a call may not change: options, generators, graphical parameters that a user sets, and the like.
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
