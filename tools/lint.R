# Checks the structure of the R code: families of files, circular dependencies, test files, names of functions, line
# lengths.
# Call: Rscript tools/lint.R, from the checkout. Prints one line for each finding; the exit code is 1 if there are any.

families <- c(
  "util", "net", "layer", "arch", "task", "fit", "capacity", "flow", "depth", "import", "compare", "picture"
)
longest_line <- 120L

found <- character()
report <- function(...) found <<- c(found, paste0(...))

sources <- list.files("R", "[.]R$", full.names = TRUE)
stem <- function(file) sub("[.]R$", "", basename(file))
stems <- stem(sources)

# ---- families ------------------------------------------------------------------------------------

family <- sub("-.*", "", stems)
for (file in stems[!family %in% families & stems != "capalloc-package"]) report("R/", file, ".R belongs to no family")

# ---- test files ----------------------------------------------------------------------------------

tests <- sub("^test-", "", stem(list.files("tests/testthat", "^test-.*[.]R$")))
for (file in setdiff(stems, tests)) report("R/", file, ".R has no test file")

# ---- names of functions --------------------------------------------------------------------------

# A reader finds a function by a word that its name shares with the name of its file.
least_share <- 0.9
words <- function(name) sub("s$", "", strsplit(name, "[^[:alpha:]]+")[[1L]])
shares_word <- function(name, file) length(intersect(words(name), words(file))) > 0L

# ---- circular dependencies -----------------------------------------------------------------------

# If two files defined the same name, the result would depend on the order of the files.
code <- new.env()
home <- character()
for (file in sources) {
  for (expression in parse(file)) {
    is_assignment <- is.call(expression) && identical(expression[[1L]], as.name("<-")) && is.name(expression[[2L]])
    if (!is_assignment) next
    name <- as.character(expression[[2L]])
    if (name %in% names(home)) report("R/", stem(file), ".R and R/", home[[name]], ".R both define ", name, "()")
    home[[name]] <- stem(file)
    value <- tryCatch(eval(expression[[3L]], code), error = function(e) NULL)
    if (!is.null(value)) assign(name, value, code)
  }
}

functions <- Filter(function(name) is.function(get0(name, code, inherits = FALSE)), names(home))
share <- mean(mapply(shares_word, functions, home[functions]))
if (share < least_share) {
  report(sprintf("Only %.1f%% of functions share a word with their file", 100 * share))
}

# For each file, the functions that it uses by the file of their definition. Methods are called through their generics,
# so a call of a method is no dependency on its file.
uses <- lapply(stats::setNames(nm = stems), function(file) {
  own <- names(home)[home == file]
  globals <- unlist(lapply(own, function(name) {
    value <- get0(name, code, inherits = FALSE)
    if (is.function(value)) codetools::findGlobals(value)
  }))
  used <- as.character(setdiff(intersect(globals, names(home)), own))
  split(used, home[used])
})

# Strongly connected components by transitive closure, which is fast enough for about a hundred files.
reach <- outer(stems, stems, Vectorize(function(a, b) b %in% names(uses[[a]])))
for (k in seq_along(stems)) reach <- reach | outer(reach[, k], reach[k, ])
circle <- reach & t(reach)
seen <- character()
for (i in seq_along(stems)) {
  members <- stems[circle[i, ]]
  if (length(members) < 2L || stems[[i]] %in% seen) next
  seen <- c(seen, members)
  report("Circle between files: ", paste(members, collapse = ", "))
  for (a in members) for (b in intersect(members, names(uses[[a]]))) {
    report("  ", a, " uses ", paste(uses[[a]][[b]], collapse = ", "), " of ", b)
  }
}

# ---- lines ---------------------------------------------------------------------------------------

text_files <- c(
  sources, list.files("tests/testthat", "[.]R$", full.names = TRUE), list.files("src", "[.][ch]$", full.names = TRUE),
  list.files(c("bench", "tools"), "[.]R$", full.names = TRUE)
)
for (file in text_files) {
  long <- which(nchar(readLines(file, encoding = "UTF-8"), "width") > longest_line)
  if (length(long) > 0L) report(file, ": lines over ", longest_line, " characters: ", toString(long))
}

writeLines(found)
cat(length(found), "findings\n")
quit(status = as.integer(length(found) > 0L))
