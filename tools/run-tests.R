# Runs a folder of tests on the installed capalloc. The last line is the count of expectations.
# Call: Rscript run-tests.R FOLDER [FILTER]; testthat reads TESTTHAT_PARALLEL and TESTTHAT_CPUS

arguments <- commandArgs(TRUE)
folder <- arguments[1]
filter <- if (length(arguments) > 1) arguments[2]
options(testthat.summary.max_reports = Inf)

results <- testthat::test_dir(
  folder,
  filter = filter,
  reporter = testthat::SummaryReporter$new(show_praise = FALSE),
  package = "capalloc",
  load_package = "installed",
  stop_on_failure = FALSE
)
expectations <- unlist(lapply(results, `[[`, "results"), recursive = FALSE)
is_a <- function(kind) vapply(expectations, inherits, NA, paste0("expectation_", kind))
report <- function(title, items) if (length(items)) writeLines(c(title, paste0("- ", items)))

# A snapshot that is not in the checkout has no recorded value, so it counts as a failure.
messages <- vapply(expectations, conditionMessage, "")
unrecorded <- is_a("warning") & grepl("^Adding new (file )?snapshot", messages)
tests <- rep(vapply(results, `[[`, "", "test"), lengths(lapply(results, `[[`, "results")))
report("Snapshots that are not recorded, in the tests:", tests[unrecorded])

bad <- is_a("failure") | is_a("error")
first_line <- function(text) trimws(strsplit(text, "\n")[[1]][1])
report("Failed, in the tests:", paste(tests[bad], vapply(messages[bad], first_line, ""), sep = ": ", recycle0 = TRUE))

# A parallel run can omit a file silently, such as one that R cannot parse.
files <- testthat::find_test_scripts(folder, filter)
lost <- files[!basename(files) %in% vapply(results, `[[`, "", "file")]
reason <- function(file) {
  fault <- tryCatch(parse(file), error = identity)
  if (inherits(fault, "error")) conditionMessage(fault) else "none of its tests gave a result"
}
report("Files without a result:", paste(basename(lost), lapply(lost, reason), sep = ": "))

passed <- sum(is_a("success"))
failed <- sum(bad, unrecorded, length(lost))
skipped <- sum(is_a("skip"))
cat(sprintf("%d passed, %d failed, %d skipped\n", passed, failed, skipped))
quit(status = if (failed > 0 || passed == 0) 1L else 0L)
