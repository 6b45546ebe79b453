# Measures how well the names of files tell a reader where a function is: the reader sees the names of all files in R/
# and src/ and of 40 functions (tools/reader-files.csv), and guesses the file of each function.
# Call: Rscript tools/reader.R                 prints the files and the functions, in random order
#       Rscript tools/reader.R GUESSES.csv     prints the score of guesses, one line `name,file` for each function
#       Rscript tools/reader.R draw [FILE]     draws 30 functions of R and 10 of C anew and writes them with their files
# All calls are made from the checkout. The draw has a fixed seed, so it depends on the sources alone.

list_file <- "tools/reader-files.csv"
drawn <- c(R = 30L, C = 10L)

sources <- function(folder, pattern) list.files(folder, pattern, full.names = TRUE)

# Names of the functions that an R file defines at top level.
r_functions <- function(file) {
  is_definition <- function(e) {
    is.call(e) && identical(e[[1L]], quote(`<-`)) && is.name(e[[2L]]) &&
      is.call(e[[3L]]) && identical(e[[3L]][[1L]], quote(`function`))
  }
  vapply(Filter(is_definition, as.list(parse(file, keep.source = FALSE))), function(e) as.character(e[[2L]]), "")
}

# Names of the functions with external linkage that a C file defines: clang-format starts each definition in column 1.
c_functions <- function(file) {
  text <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  text <- gsub("(?s)/\\*.*?\\*/|//[^\n]*|(?m)^#[^\n]*", "", text, perl = TRUE)
  definition <- "(?m)^(?!static\\b)[A-Za-z_][\\w *\n]*?\\b(\\w+)\\([^;{}]*\\)\\s*\\{"
  definitions <- regmatches(text, gregexpr(definition, text, perl = TRUE))[[1L]]
  sub("(?s)^.*?(\\w+)\\(.*", "\\1", definitions, perl = TRUE)
}

# Returns a data frame of all functions: name, file (relative to the checkout), language.
all_functions <- function() {
  of <- function(files, functions, language) {
    names <- lapply(files, functions)
    data.frame(name = unlist(names), file = rep(files, lengths(names)), language = rep(language, sum(lengths(names))))
  }
  # A function with one definition for each platform is in its file once.
  unique(rbind(of(sources("R", "[.]R$"), r_functions, "R"), of(sources("src", "[.]c$"), c_functions, "C")))
}

draw <- function(path) {
  functions <- all_functions()
  set.seed(1L, "Mersenne-Twister", "Inversion", "Rejection")
  rows <- unlist(lapply(names(drawn), function(language) {
    of_language <- which(functions$language == language)
    of_language <- of_language[order(functions$name[of_language], method = "radix")]
    sample(of_language, drawn[[language]])
  }))
  utils::write.csv(functions[rows, c("name", "file")], path, row.names = FALSE, quote = FALSE)
}

# Returns the listed functions with the file that each is in now (NA where it no longer exists), and prints changes.
listed_functions <- function() {
  listed <- utils::read.csv(list_file, colClasses = "character")
  functions <- all_functions()
  listed$now <- functions$file[match(listed$name, functions$name)]
  gone <- is.na(listed$now)
  moved <- !gone & listed$now != listed$file
  cat(sprintf("No longer exists: %s() of %s\n", listed$name[gone], listed$file[gone]), sep = "")
  cat(sprintf("Has moved: %s() of %s\n", listed$name[moved], listed$file[moved]), sep = "")
  if (any(gone | moved)) cat("Draw the functions anew: Rscript tools/reader.R draw\n\n")
  listed
}

show_task <- function() {
  listed <- listed_functions()
  writeLines(c("Files:", c(sources("R", "[.]R$"), sources("src", "[.][ch]$")), "", "Functions:"))
  set.seed(2L, "Mersenne-Twister", "Inversion", "Rejection")
  writeLines(sample(listed$name[!is.na(listed$now)]))
}

# A guess may leave out the folder. Functions without a guess count as wrong, functions that no longer exist not at all.
show_score <- function(path) {
  listed <- listed_functions()
  listed <- listed[!is.na(listed$now), ]
  guesses <- utils::read.csv(path, header = FALSE, col.names = c("name", "file"), colClasses = "character",
    strip.white = TRUE, comment.char = "#")
  guesses <- guesses[!(guesses$name == "name" & guesses$file == "file"), ]
  guesses$name <- sub("\\(\\)$", "", guesses$name)
  unknown <- setdiff(guesses$name, listed$name)
  cat(sprintf("Not in the list: %s\n", unknown), sep = "")
  guess <- guesses$file[match(listed$name, guesses$name)]
  right <- !is.na(guess) & (guess == listed$now | guess == basename(listed$now))
  wrong <- listed[!right, ]
  cat(sprintf("%s() is in %s, not %s\n", wrong$name, wrong$now, ifelse(is.na(guess[!right]), "guessed", guess[!right])),
    sep = "")
  language <- ifelse(grepl("^R/", listed$now), "R", "C")
  cat(sprintf("%s: %d of %d right\n", names(drawn), vapply(names(drawn), function(l) sum(right[language == l]), 0L),
    vapply(names(drawn), function(l) sum(language == l), 0L)), sep = "")
  cat(sprintf("Score: %d of %d (%.0f%%)\n", sum(right), length(right), 100 * mean(right)))
}

arguments <- commandArgs(TRUE)
if (length(arguments) == 0L) {
  show_task()
} else if (arguments[[1L]] == "draw") {
  draw(if (length(arguments) > 1L) arguments[[2L]] else list_file)
} else {
  show_score(arguments[[1L]])
}
