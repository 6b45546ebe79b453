# Called by mutate.sh with the number of mutants, a seed and a folder for measured times, in a folder with copies of the
# sources (capalloc/) and of the tests (tests/). Half of the mutants are of C, half of R.
#
# A mutant is a change of one token or one statement. Changes that no result can show are left out. In C these are sizes
# of scratch memory, thresholds between two methods that are both correct (named constants), and -1 in place of 0, which
# mostly reads before the start of an array (check-memory.sh detects that). In R it is the number in FUN.VALUE of
# vapply(), of which only the type matters. Mutants that do not compile, or compile to the same object file, are not
# counted. Each mutant runs in a forked process, which mutate-driver.R describes.

arguments <- commandArgs(TRUE)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
source(file.path(dirname(script), "mutate-driver.R"))

# ---- files that are mutated ----------------------------------------------------------------------------------------

# The core without the border.
c_files <- function() {
  files <- list.files("capalloc/src", "[.]c$", full.names = TRUE)
  files[!grepl("^(ffi-.*|init)[.]c$", basename(files))]
}

# Numeric R code, without layers, checks, printing and pictures.
r_files <- function() {
  stems <- c(
    "capacity", "capacity-allocation", "capacity-basis", "capacity-decay", "capacity-interval", "capacity-kernel",
    "capacity-linearise", "capacity-logits", "capacity-metric", "capacity-partition", "capacity-rank",
    "capacity-table", "capacity-tangent", "compare-contrast", "compare-difference", "compare-friedman",
    "compare-metric", "compare-ranks", "compare-run", "compare-scores", "depth-chain", "depth-diffusion",
    "depth-field", "depth-measure", "depth-reflected", "depth-shattering", "depth-variance", "fit-loss",
    "fit-number", "fit-start", "fit-units", "flow-decoupling", "flow-gate", "flow-joint", "flow-moments",
    "flow-pair", "flow-plan", "flow-propagate", "flow-range", "net-lower", "net-units", "net-window", "task",
    "task-data", "task-image", "task-linear", "task-moments", "task-process", "task-root", "task-series",
    "task-seasonal", "task-units"
  )
  file.path("capalloc/R", paste0(stems, ".R"))
}

read_text <- function(file) paste0(paste(readLines(file), collapse = "\n"), "\n")

# ---- changes -------------------------------------------------------------------------------------------------------

numbers <- function(text) {
  end <- sub("^([0-9.]+([eE][-+]?[0-9]+)?)", "", text)
  value <- as.numeric(substr(text, 1, nchar(text) - nchar(end)))
  setdiff(paste0(format(c(value + 1, value - 1, 0), digits = 15, trim = TRUE), end), text)
}

swaps <- function(...) {
  pairs <- list(...)
  c(pairs, stats::setNames(as.list(names(pairs)), unlist(pairs)))
}

c_swaps <- c(
  swaps(`+` = "-", `*` = "/", `++` = "--", `+=` = "-=", `*=` = "/=", `==` = "!=", `&&` = "||", fmax = "fmin",
    max_size = "min_size", true = "false"),
  list(`<` = c("<=", ">="), `<=` = c("<", ">"), `>` = c(">=", "<="), `>=` = c(">", "<"), `!` = "")
)
r_swaps <- c(
  swaps(`+` = "-", `*` = "/", `==` = "!=", `&&` = "||", `&` = "|", max = "min", pmax = "pmin", any = "all",
    floor = "ceiling", nrow = "ncol", rowSums = "colSums", rowMeans = "colMeans", crossprod = "tcrossprod",
    `TRUE` = "FALSE", which.max = "which.min", head = "tail"),
  list(`<` = c("<=", ">="), `<=` = c("<", ">"), `>` = c(">=", "<="), `>=` = c(">", "<"), `!` = "", `^` = "*",
    cumsum = "cumprod", sqrt = "", `%*%` = "%o%")
)

sites_of <- function(file, at, old, new, line) {
  data.frame(file = rep(file, length(at)), at = at, old = old, new = I(new), line = line)
}

# ---- tokens of C ---------------------------------------------------------------------------------------------------

c_left_out <- "(?s)/\\*.*?\\*/|//[^\n]*|\"(?:\\\\.|[^\"\\\\])*\"|'(?:\\\\.|[^'\\\\])*'|(?<=\n)[ \t]*#[^\n]*"
c_token <- paste0("[A-Za-z_][A-Za-z_0-9]*|(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][-+]?[0-9]+)?[uUlLfF]*|",
  "->|\\+\\+|--|<<|>>|[-+*/%<>=!&|^]=|&&|\\|\\||[^\\sA-Za-z_0-9]")
c_types <- c("double", "int", "char", "void", "size_t", "long", "unsigned", "bool", "const", "return")

c_untold <- "\\bca_(doubles|ints|sizes|bytes|large)\\(|_work\\(|static const (double|int|size_t) [A-Z]"

# Replaces comments, strings and preprocessor lines by blanks of the same length.
blanked <- function(text) {
  found <- gregexpr(c_left_out, text, perl = TRUE)
  regmatches(text, found) <- lapply(regmatches(text, found), function(s) gsub("[^\n]", " ", s))
  text
}

c_tokens <- function(code) {
  found <- gregexpr(c_token, code, perl = TRUE)[[1]]
  data.frame(at = as.integer(found), text = regmatches(code, list(found))[[1]])
}

# Whether each token is a binary operator: it follows a name, a number or a closing bracket.
is_binary <- function(text) {
  before <- c("", text[-length(text)])
  second <- c("", "", text)[seq_along(text)]
  grepl("^[A-Za-z0-9_.)]|\\]", before) & !before %in% c_types & second != "struct"
}

c_sites <- function(file) {
  code <- blanked(read_text(file))
  tokens <- c_tokens(code)
  text <- tokens$text
  swapped <- text %in% names(c_swaps) & (is_binary(text) | !text %in% c("+", "-", "*", "/"))
  number <- grepl("^[0-9.]*[0-9]", text) & !grepl("x", text)
  new <- vector("list", length(text))
  new[swapped] <- c_swaps[text[swapped]]
  new[number] <- lapply(text[number], function(number) setdiff(numbers(number), "-1"))
  # not 1: doubles with all bytes 1 are 1e-303, which tests cannot tell from zero
  new[filled_with(text)] <- "255"
  line_of <- function(at) findInterval(at, c(1, gregexpr("\n", code)[[1]] + 1))
  untold <- grep(c_untold, strsplit(code, "\n", fixed = TRUE)[[1]])
  keep <- (swapped | number) & !line_of(tokens$at) %in% untold
  rbind(sites_of(file, tokens$at[keep], text[keep], new[keep], line_of(tokens$at[keep])), c_statements(file, code))
}

# The tokens that are the fill value of memset(): the first zero after it that is a whole argument.
filled_with <- function(text) {
  zeros <- which(text == "0" & c("", text[-length(text)]) == ",")
  vapply(which(text == "memset"), function(at) zeros[zeros > at][1L], 1L)
}

# Statements on a line of their own that can be left out.
c_statements <- function(file, code) {
  lines <- strsplit(code, "\n", fixed = TRUE)[[1]]
  first <- cumsum(c(1, nchar(lines) + 1))[seq_along(lines)]
  other <- c(c_types, "struct", "static", "enum", "for", "break", "continue")
  type <- paste0("^\\s+(", paste(other, collapse = "|"), ")\\b")
  alone <- c(FALSE, grepl("([;{})]|\\belse|^)\\s*$", lines[-length(lines)]))
  whole <- alone & grepl("^\\s+[A-Za-z*][^;{}]*;\\s*$", lines) & grepl("=|\\(|\\+\\+", lines) & !grepl(type, lines)
  old <- trimws(strsplit(read_text(file), "\n", fixed = TRUE)[[1]][whole]) # with its strings
  sites_of(file, first[whole] + regexpr("\\S", lines[whole]) - 1L, old, rep(list(";"), sum(whole)), which(whole))
}

# ---- tokens of R ---------------------------------------------------------------------------------------------------

r_kinds <- c("'+'", "'-'", "'*'", "'/'", "'^'", "'!'", "LT", "LE", "GT", "GE", "EQ", "NE", "AND", "AND2", "OR", "OR2",
  "NUM_CONST", "SYMBOL_FUNCTION_CALL", "SPECIAL")
# Functions whose arguments are text, and a pattern of functions that produce text.
r_words <- c("abort", "warn", "cli_inform", "cli_abort", "sprintf", "paste", "paste0", "format", "cat", "signif",
  "inform_allocation_cost")
r_printers <- "^(print|format|autoplot)[.]|_(text|headline|notes?|label|reason)$|^(format|show|inform|warn)_"

r_sites <- function(file) {
  text <- read_text(file)
  exprs <- parse(text = text, keep.source = TRUE)
  data <- utils::getParseData(exprs)
  start <- c(0, gregexpr("\n", text)[[1]])
  data$at <- start[data$line1] + data$col1
  data$end <- start[data$line2] + data$col2
  data <- data[!in_words(data, text), ]
  rbind(r_tokens(file, data, text), r_statements(file, data, text))
}

# Whether each row of parse data is in a function that prints, or in a call of r_words.
in_words <- function(data, text) {
  left <- rep(FALSE, nrow(data))
  within <- function(rows) for (i in rows) left <<- left | data$at >= data$at[i] & data$end <= data$end[i]
  parent <- function(id) data$parent[match(id, data$id)]
  calls <- data$id[data$token == "SYMBOL_FUNCTION_CALL" & data$text %in% r_words]
  within(match(parent(parent(calls)), data$id))
  top <- which(data$parent == 0 & data$token == "expr")
  name <- sub("^([.A-Za-z0-9_]+) <-.*", "\\1", substring(text, data$at[top], data$at[top] + 80))
  name <- sub("\n.*", "", name)
  within(top[grepl(r_printers, name)])
  left
}

r_tokens <- function(file, data, text) {
  tokens <- data[data$terminal & data$token %in% r_kinds, ]
  siblings <- vapply(tokens$parent, function(id) sum(data$parent == id), 1L)
  number <- tokens$token == "NUM_CONST" & grepl("^[0-9]", tokens$text)
  swapped <- tokens$text %in% names(r_swaps) & !(tokens$token %in% c("'+'", "'-'") & siblings < 3)
  new <- vector("list", nrow(tokens))
  new[swapped] <- r_swaps[tokens$text[swapped]]
  new[number] <- lapply(tokens$text[number], numbers)
  keep <- (swapped | number) & !tokens$parent %in% vapply_values(data)
  sites_of(file, tokens$at[keep], tokens$text[keep], new[keep], tokens$line1[keep])
}

# The ids of FUN.VALUE in every vapply(): its third unnamed argument, which follows the function.
vapply_values <- function(data) {
  parent <- function(id) data$parent[match(id, data$id)]
  calls <- parent(parent(data$id[data$token == "SYMBOL_FUNCTION_CALL" & data$text == "vapply"]))
  unlist(lapply(calls, function(call) {
    parts <- data[data$parent == call, ]
    parts <- parts[order(parts$at), ]
    named <- c("", parts$token[-nrow(parts)]) == "EQ_SUB"
    parts$id[parts$token == "expr" & !named][4L]
  }))
}

# Statements in braces except the last, whose value is the value of the block.
r_statements <- function(file, data, text) {
  braced <- data$parent[data$token == "'{'"]
  rows <- which(data$token %in% c("expr", "equal_assign", "expr_or_assign_or_help") & data$parent %in% braced)
  rows <- rows[duplicated(data$parent[rows], fromLast = TRUE)]
  sites_of(file, data$at[rows], substring(text, data$at[rows], data$end[rows]), rep(list("NULL"), length(rows)),
    data$line1[rows])
}

# ---- one mutant ----------------------------------------------------------------------------------------------------

mutated_text <- function(mutant) {
  text <- read_text(mutant$file)
  stopifnot(substr(text, mutant$at, mutant$at + nchar(mutant$old) - 1) == mutant$old)
  paste0(substr(text, 1, mutant$at - 1), mutant$new, substring(text, mutant$at + nchar(mutant$old)))
}

# The sites in random order, each with one of its changes drawn at random.
draw <- function(sites) {
  sites <- sites[sample.int(nrow(sites)), ]
  sites$new <- vapply(sites$new, function(new) new[[sample.int(length(new), 1)]], "")
  sites
}

# Builds the core with R CMD SHLIB and returns its commands as list(compile, link): running them directly is faster.
build_core <- function() {
  dir.create("build")
  file.copy(list.files("capalloc/src", full.names = TRUE), "build")
  files <- list.files("build", "[.]c$")
  old <- setwd("build")
  on.exit(setwd(old))
  said <- system2(file.path(R.home("bin"), "R"), c("CMD", "SHLIB", "-o", "capalloc.so", files), stdout = TRUE)
  if (!file.exists("capalloc.so")) stop("The sources do not compile")
  line <- function(part) grep(part, said, fixed = TRUE, value = TRUE)
  list(compile = sapply(files, function(file) line(paste("-c", file))), link = line("-o capalloc.so"))
}

in_build <- function(command) system(paste("cd build &&", command), ignore.stdout = TRUE, ignore.stderr = TRUE) == 0

not_counted <- c("does not compile", "same object")

# Returns the path of a shared object, or one of `not_counted`.
build_mutant <- function(mutant) {
  source <- basename(mutant$file)
  object <- sub("c$", "o", source)
  kept <- file.path("build", c(source, object))
  file.rename(kept, paste0(kept, ".kept"))
  on.exit(file.rename(paste0(kept, ".kept"), kept))
  cat(mutated_text(mutant), file = kept[1])
  if (!in_build(commands$compile[[source]])) return("does not compile")
  if (tools::md5sum(kept[2]) == tools::md5sum(paste0(kept[2], ".kept"))) return("same object")
  if (!in_build(commands$link)) return("does not compile")
  # each mutant has its own file, since a loaded file must not change
  folder <- tempfile("core", ".")
  dir.create(folder)
  file.rename("build/capalloc.so", file.path(folder, "capalloc.so"))
  file.path(folder, "capalloc.so")
}

# c(outcome, test file)
try_mutant <- function(mutant, checks, times) {
  if (grepl("[.]R$", mutant$file)) {
    text <- mutated_text(mutant)
    return(run_apart(function() use_r(text), cases, checks, times))
  }
  built <- build_mutant(mutant)
  if (built %in% not_counted) return(c(built, ""))
  on.exit(unlink(dirname(built), recursive = TRUE))
  run_apart(function() use_core(built), cases, checks, times)
}

# ---- all mutants ---------------------------------------------------------------------------------------------------

said <- function(mutant, outcome, seconds = NULL) {
  shown <- function(x) substr(gsub("\\s+", " ", trimws(x)), 1, 100)
  line <- strsplit(mutated_text(mutant), "\n", fixed = TRUE)[[1]][mutant$line]
  place <- paste0(sub("capalloc/", "", mutant$file), ":", mutant$line)
  cat(seconds, sprintf("%-40s %s  %s:  %s\n", substr(outcome, 1, 40), place, shown(mutant$old), shown(line)), sep = "")
}

run_language <- function(sites, wanted, times) {
  outcomes <- character()
  won <- numeric()
  for (i in seq_len(nrow(sites))) {
    if (sum(!outcomes %in% not_counted) == wanted) break
    checks <- in_order(checks_of(sites$file[i]), times, won)
    took <- system.time(outcome <- try_mutant(sites[i, ], checks, times))[["elapsed"]]
    outcomes[i] <- outcome[1]
    said(sites[i, ], outcomes[i], sprintf("%5.1f s ", took))
    if (grepl("^killed", outcome[1])) won[outcome[2]] <- sum(won[outcome[2]], 1, na.rm = TRUE)
  }
  cbind(sites[seq_along(outcomes), ], outcome = outcomes)
}

# Seconds of the test files, measured once for each state of the sources and the tests.
known_times <- function(checks) {
  inputs <- tools::md5sum(list.files(c("capalloc", "tests/testthat"), recursive = TRUE, full.names = TRUE))
  kept <- file.path(arguments[3], paste0("mutate-times-", substr(rlang::hash(unname(inputs)), 1, 16), ".rds"))
  if (file.exists(kept)) return(readRDS(kept))
  times <- time_checks(checks)
  saveRDS(times, kept)
  times
}

set.seed(as.integer(arguments[2]))
n_mutants <- as.integer(arguments[1])
sites <- list(C = lapply(c_files(), c_sites), R = lapply(r_files(), r_sites))
sites <- lapply(sites, function(places) draw(do.call(rbind, places)))
cat(sprintf("%d places in C, %d in R\n", nrow(sites$C), nrow(sites$R)))
commands <- build_core()
load_tests()
cases <- quick_cases()
times <- known_times(unique(unlist(lapply(c(c_files(), r_files()), checks_of))))
wanted <- c(C = ceiling(n_mutants / 2), R = floor(n_mutants / 2))
tried <- do.call(rbind, Map(run_language, sites, wanted, MoreArgs = list(times = times)))
counted <- tried[!tried$outcome %in% not_counted, ]
survived <- counted[counted$outcome == "SURVIVED", ]

cat("\nSurvivors:\n")
for (i in seq_len(nrow(survived))) said(survived[i, ], "")
language <- ifelse(grepl("R$", counted$file), "R", "C")
killed <- counted$outcome != "SURVIVED"
cat(sprintf("%s: %d of %d killed\n", c("C", "R"), tapply(killed, language, sum), table(language)), sep = "")
cat(sprintf("%d of %d killed (%.1f%%), %d not counted\n", sum(killed), length(killed), 100 * mean(killed),
  nrow(tried) - nrow(counted)))
quit(status = if (mean(killed) >= 0.9) 0L else 1L)
