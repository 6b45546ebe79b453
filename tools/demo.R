# Compares architectures on classical tasks and on sunspots, or on a series of the user, and writes reports.
# Call: Rscript demo.R [FILE.csv COLUMN], with capalloc and ggplot2; pictures and reports go to ./capalloc-demo/

suppressPackageStartupMessages({
  library(capalloc)
  library(ggplot2)
})

folder <- "capalloc-demo"
# R without a bitmap device can draw PDF.
extension <- if (capabilities("png")) "png" else "pdf"
refuse <- function(...) stop(..., call. = FALSE)

# ---- the user's series -------------------------------------------------------------------------

read_column <- function(file, column) {
  not_csv <- function(condition) refuse(file, " is not a CSV file: ", conditionMessage(condition))
  table <- tryCatch(
    read.csv(
      file,
      colClasses = "character", na.strings = c("NA", ""), check.names = FALSE, strip.white = TRUE
    ),
    error = not_csv, warning = not_csv
  )
  if (!column %in% names(table)) {
    known <- paste0("'", names(table), "'", collapse = ", ")
    refuse(file, " has no column '", column, "'; its columns are ", known)
  }
  series <- as_numbers(table[[column]], column)
  if (length(series) < 32) {
    refuse("column '", column, "' is too short: ", length(series), " observations, at least 32 are needed")
  }
  series
}

as_numbers <- function(text, column) {
  refuse_any <- function(bad, what) {
    if (!any(bad)) return()
    first <- match(TRUE, bad)
    value <- if (!is.na(text[first])) paste0(": ", text[first])
    count <- paste(sum(bad), what)
    refuse("column '", column, "' has ", count, ", the first is observation ", first, value)
  }
  refuse_any(is.na(text), "missing value(s)")
  numbers <- suppressWarnings(as.numeric(text))
  refuse_any(is.na(numbers), "value(s) that are not numbers")
  refuse_any(is.infinite(numbers), "infinite value(s)")
  numbers
}

# The input length: the largest power of two from 8 to 64 that is at most a quarter of the length of the series.
length_for <- function(series) {
  lengths <- 2^(3:6)
  length <- max(lengths[4 * lengths <= length(series)])
  if (length < 64) {
    cat("The series has ", length(series), " observations: inputs of length ", length, ", not 64\n",
      sep = ""
    )
  }
  length
}

# ---- results -----------------------------------------------------------------------------------

# Data frame of capacities, means over replicates: one row for each octave of the lag, one column for each network.
by_octave <- function(cmp, task) {
  rows <- cmp$allocation[cmp$allocation$task == task, ]
  breaks <- c(0, 2^(0:ceiling(log2(max(rows$lag, na.rm = TRUE)))))
  from <- head(breaks, -1) + 1
  labels <- ifelse(from == breaks[-1], from, paste0(from, "-", breaks[-1]))
  octave <- cut(rows$lag, breaks, labels)
  levels(octave) <- c(labels, "(Intercept)")
  octave[is.na(rows$lag)] <- "(Intercept)"
  network <- factor(rows$network, names(cmp$networks))
  sums <- tapply(rows$capacity, list(lags = droplevels(octave), network), sum) / cmp$replicates
  data.frame(lags = rownames(sums), sums, row.names = NULL, check.names = FALSE)
}

losses <- function(cmp) {
  rows <- as.data.frame(summary(cmp))
  rows[c("task", "network", "n_params", "total_capacity", "loss", "excess_loss", "unconverged")]
}

save_picture <- function(picture, name, width = 9, height = 5) {
  file <- file.path(folder, paste0(name, ".", extension))
  ggsave(file, picture, width = width, height = height, dpi = 120, bg = "white")
}

# Without pandoc the report is skipped with a message.
write_report <- function(cmp, name, title) {
  tryCatch(
    report(cmp, file = file.path(folder, paste0(name, ".html")), title = title),
    capalloc_error = function(e) cat("No report: ", conditionMessage(e), "\n", sep = "")
  )
}

show <- function(cmp, task, name, title) {
  cat("\nMean squared error, excess loss and total capacity (means over replicates)\n")
  print(losses(cmp), row.names = FALSE, digits = 4)
  cat("\nCapacity by octave of the lag, task '", task, "'\n", sep = "")
  print(by_octave(cmp, task), row.names = FALSE, digits = 3)
  save_picture(autoplot(cmp), paste0(name, "-profiles"), height = 1.6 + 1.1 * length(cmp$tasks))
  save_picture(autoplot(cmp, type = "loss"), paste0(name, "-losses"))
  write_report(cmp, if (name == "tasks") "capacity-report" else paste0("capacity-report-", name), title)
}

# ---- comparisons -------------------------------------------------------------------------------

compare_tasks <- function() {
  cat("\nSix architectures of about 64 parameters on six tasks, 10 replicates of each ...\n")
  networks <- classical_architectures(64)[
    c("dense", "conv", "dilated", "strided", "residual", "elman")
  ]
  tasks <- classical_tasks(64)[c("ar", "arma", "fgn", "multiscale", "periodic", "sparse")]
  cmp <- compare_architectures(networks, tasks, replicates = 10, seed = 1)
  print(cmp)
  show(cmp, "fgn", "tasks", "Six architectures on six tasks")
}

compare_series <- function(name, title, series, length) {
  cat("\n", title, ": predicting the next value from the last ", length, ", three architectures ...\n", sep = "")
  networks <- list(
    dense = arch_dense(length, bias = TRUE),
    dilated = arch_dilated(length, filters = 1, bias = TRUE),
    recurrent = arch_recurrent(length, units = 3, bias = TRUE)
  )
  tasks <- setNames(list(task_series(series, length = length)), name)
  cmp <- compare_architectures(networks, tasks, replicates = 5, seed = 1, restarts = 3)
  show(cmp, name, name, title)
}

main <- function(arguments) {
  if (length(arguments) == 2) series <- read_column(arguments[1], arguments[2])
  if (!dir.exists(folder) && !dir.create(folder, showWarnings = FALSE)) {
    refuse("cannot create the folder ", folder, " in ", getwd())
  }
  if (length(arguments) == 2) {
    title <- paste0("Column '", arguments[2], "' of ", arguments[1])
    compare_series("series", title, series, length_for(series))
  } else {
    compare_tasks()
    compare_series("sunspots", "Monthly sunspots", sunspots, 64)
  }
  cat("\nThe results are in ", normalizePath(folder), "\n", sep = "")
}

tryCatch(main(commandArgs(TRUE)), error = function(e) {
  message("demo: ", conditionMessage(e))
  quit(status = 1L)
})
