# Called by coverage.sh with a copy of the package and optionally a filter of test files.

arguments <- commandArgs(TRUE)
filter <- if (length(arguments) > 1) arguments[2]
tests <- normalizePath(file.path(arguments[1], "tests/testthat"))
code <- sprintf("testthat::test_dir(%s, package = 'capalloc', load_package = 'installed', filter = %s,
  reporter = 'summary', stop_on_failure = FALSE)", deparse(tests), deparse(filter))
coverage <- covr::package_coverage(arguments[1], type = "none", code = code, quiet = FALSE)

# One row for each line of code, as counted by covr for R and by gcov for C.
lines <- covr::tally_coverage(coverage, by = "line")
runs <- tapply(lines$value > 0, lines$filename, sum)
all <- tapply(lines$value, lines$filename, length)

# Line numbers as text: 3, 4, 5, 9 become "3-5 9".
ranges <- function(at) {
  runs <- split(at, cumsum(c(1, diff(at) != 1)))
  paste(vapply(runs, function(run) paste(unique(range(run)), collapse = "-"), ""), collapse = " ")
}

for (file in names(all)) {
  missed <- sort(unique(lines$line[lines$filename == file & lines$value == 0]))
  cat(sprintf("%-34s %5d of %5d  %5.1f%%  %s\n", file, runs[[file]], all[[file]], 100 * runs[[file]] / all[[file]],
    if (length(missed) > 0) ranges(missed) else ""))
}
part <- function(of, name) {
  cat(sprintf("%-5s %5d of %5d lines, %.2f%%\n", name, sum(runs[of]), sum(all[of]), 100 * sum(runs[of]) / sum(all[of])))
}
part(grepl("^R/", names(all)), "R")
part(grepl("^src/", names(all)), "C")
part(rep(TRUE, length(all)), "total")
