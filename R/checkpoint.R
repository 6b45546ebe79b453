# Checkpoints: a directory with one plain text file per finished run, and a manifest of what was asked.
#
# Reading takes numbers and texts out of lines of a known form, and never evaluates anything. Every file ends in the
# md5 sum of what stands above it, and is written beside its place and then renamed, so that it is there whole or not
# at all: sessions and workers may write at once, and a kill at any moment leaves what was finished. A run's file
# says which comparison (the sum of the manifest's lines) and which row of the design it is of. Doubles are written in
# hexadecimal ("%a"), which is exact.
#
# A store is list(dir, design): the directory's full path and the sum of the manifest's lines.

manifest_name <- "capalloc-manifest.txt"
run_name <- function(row) sprintf("run-%06d.txt", row)

# ---- opening -------------------------------------------------------------------------------------

check_checkpoint <- function(checkpoint, arg = "checkpoint", call = rlang::caller_env()) {
  if (is.null(checkpoint)) return(NULL)
  check_string(checkpoint, arg = arg, call = call)
  if (!nzchar(checkpoint)) {
    abort(c("{.arg {arg}} must be {.code NULL} or the path of a directory.", x = "It is \"\"."), "value", call = call)
  }
  writable_directory(checkpoint, arg, call)
}

# Its full path, after a file was really written there: permissions alone do not say.
writable_directory <- function(dir, arg, call) {
  if (!dir.exists(dir)) suppressWarnings(dir.create(dir, recursive = TRUE))
  trouble <- if (!dir.exists(dir)) {
    if (file.exists(dir)) "is a file" else "cannot be created"
  } else if (!write_checked(file.path(dir, paste0("writable-", Sys.getpid())), "writable", keep = FALSE)) {
    "cannot be written"
  }
  if (is.null(trouble)) return(normalizePath(dir, "/"))
  abort(c(
    "{.arg {arg}} must be a directory that can be written.",
    x = "{.file {dir}} {trouble}."
  ), "file", call = call)
}

# Without a seed the one of the comparison that is there goes on.
stored_seed <- function(dir) {
  lines <- if (!is.null(dir)) read_checked(file.path(dir, manifest_name))$lines
  seed <- read_number(sub("^seed ", "", grep("^seed ", lines, value = TRUE)))
  if (length(seed) == 1L) seed
}

# list(store, done): what is there of this comparison is read, and what is damaged is named.
open_checkpoint <- function(dir, work, call = rlang::caller_env()) {
  asked <- design_lines(work)
  store <- list(dir = dir, design = text_sum(asked))
  sweep_unfinished(dir)
  manifest <- read_checked(file.path(dir, manifest_name))
  if (is.null(manifest$damage)) check_manifest(manifest$lines, asked, dir, call)
  found <- read_runs(store, nrow(work$design))
  if (!is.null(manifest$damage) && length(found$foreign) > 0L) {
    abort(c(
      "{.arg checkpoint} must be empty or hold this comparison.",
      x = "{.file {file.path(dir, found$foreign[[1L]])}} is of another one.",
      x = "{.file {manifest_name}} {manifest$damage}."
    ), "checkpoint", call = call)
  }
  damage <- c(found$damage, if (is_damaged(manifest)) stats::setNames(manifest$damage, manifest_name))
  if (length(damage) > 0L) warn_damage(damage, dir)
  if (!is.null(manifest$damage)) write_manifest(store, asked, replace = is_damaged(manifest), call)
  list(store = store, done = found$runs)
}

# Files that a kill left half written. Writing one takes no hour.
sweep_unfinished <- function(dir) {
  left <- list.files(dir, "^writing-", full.names = TRUE)
  unlink(left[which(difftime(Sys.time(), file.mtime(left), units = "hours") > 1)])
}

# Of a file that is there and cannot be trusted; one that is not there is not damaged.
is_damaged <- function(read) !is.null(read$damage) && read$damage != "is missing"

warn_damage <- function(damage, dir) {
  shown <- damage[seq_len(min(length(damage), 10L))]
  said <- stats::setNames(gsub("([{}])", "\\1\\1", paste0(names(shown), ": ", shown)), rep("x", length(shown)))
  warn(c(
    "{.file {dir}} has {length(damage)} damaged file{?s}, which {?is/are} made again:",
    said,
    if (length(damage) > length(shown)) c(i = "... and {length(damage) - length(shown)} more.")
  ), "checkpoint", damaged = names(damage))
}

# ---- the manifest --------------------------------------------------------------------------------

# What was asked, a line each: `what value`, or `what "name" sum`.
design_lines <- function(work) {
  named <- function(what, list) {
    if (length(list) > 0L) paste(what, vapply(as.character(names(list)), write_text, ""), vapply(list, fingerprint, ""))
  }
  given <- Filter(Negate(is.null), work$fitting)
  given <- given[order(as.character(names(given)), method = "radix")]
  c(
    paste("replicates", write_number(work$replicates)), paste("n_obs", write_number(work$n_obs)),
    paste("seed", write_number(work$seed)), named("argument", given),
    named("network", work$networks), named("task", work$tasks)
  )
}

manifest_head <- "capalloc checkpoint 1"

# Two sessions may begin at once: the one that comes second finds the first one's manifest.
write_manifest <- function(store, asked, replace, call) {
  path <- file.path(store$dir, manifest_name)
  made <- paste("made with capalloc", utils::packageVersion("capalloc"))
  write_checked(path, c(manifest_head, made, asked), replace = replace)
  written <- read_checked(path)
  if (!is.null(written$damage)) {
    abort(c(
      "{.arg checkpoint} must be a directory that can be written.",
      x = "{.file {path}} {written$damage} after it was written."
    ), "file", call = call)
  }
  check_manifest(written$lines, asked, store$dir, call)
}

check_manifest <- function(lines, asked, dir, call) {
  if (!identical(lines[1L], manifest_head)) {
    abort(c(
      "{.arg checkpoint} must be a directory that this version of capalloc can read.",
      x = "{.file {file.path(dir, manifest_name)}} begins with {.val {lines[1L]}}."
    ), "checkpoint", call = call)
  }
  there <- lines[-(1:2)]
  if (identical(there, asked)) return(warn_version(lines[2L], dir))
  differs <- gsub("([{}])", "\\1\\1", design_differences(there, asked))
  abort(c(
    "{.arg checkpoint} must be empty or hold this comparison.",
    x = "{.file {dir}} holds another one, which differs in:",
    stats::setNames(differs, rep("*", length(differs))),
    i = "Give another directory, or delete this one to begin anew."
  ), "checkpoint", call = call)
}

warn_version <- function(made, dir) {
  if (identical(made, paste("made with capalloc", utils::packageVersion("capalloc")))) return(invisible())
  warn(c(
    "The runs in {.file {dir}} that are finished were {made}, not with this version.",
    i = "Delete the directory to compute all runs with one version."
  ), "checkpoint")
}

# In the words of the call, such as "`replicates`: 10 there, 20 here".
design_differences <- function(there, here) {
  there <- design_fields(there)
  here <- design_fields(here)
  differs <- vapply(union(names(there), names(here)), function(field) {
    if (is.na(there[field])) return("only here")
    if (is.na(here[field])) return("only there")
    if (identical(there[[field]], here[[field]])) return("")
    if (grepl("^`(replicates|n_obs|seed)`$", field)) {
      return(paste(show_number(there[[field]]), "there,", show_number(here[[field]]), "here"))
    }
    "another one there"
  }, "")
  differs <- differs[differs != ""]
  if (length(differs) == 0L) return("the order of networks or tasks")
  paste0(names(differs), ": ", differs)
}

# Named by the argument; a name's value is the sum.
design_fields <- function(lines) {
  kind <- sub(" .*", "", lines)
  rest <- sub("^[^ ]* ", "", lines)
  named <- kind %in% c("argument", "network", "task")
  name <- ifelse(named, sub(" [0-9a-f]*$", "", rest), "")
  name <- vapply(name, function(x) if (x == "") "" else paste(c(read_text(x), "?")[[1L]]), "")
  labels <- c(argument = "", network = "networks$", task = "tasks$")
  field <- ifelse(named, paste0("`", labels[kind], name, "`"), paste0("`", kind, "`"))
  stats::setNames(ifelse(named, sub(".* ", "", rest), rest), field)
}

show_number <- function(text) {
  value <- read_number(text)
  if (is.null(value)) text else format(value, scientific = FALSE)
}

# ---- runs ----------------------------------------------------------------------------------------

# A run from the store or, where it has none, from `code`, written at once. NULL for `store` keeps nothing.
stored_run <- function(store, row, code) {
  if (is.null(store)) return(code)
  found <- read_run(store, row)
  if (is.null(found$damage)) return(found$run)
  run <- code
  write_run(store, row, run)
  run
}

# Whether it was written. A worker on another machine may not see the directory.
write_run <- function(store, row, run) {
  if (!file.exists(file.path(store$dir, manifest_name))) return(FALSE)
  write_checked(file.path(store$dir, run_name(row)), run_lines(store, row, run))
}

run_head <- "capalloc run 1"

run_lines <- function(store, row, run) {
  values <- vapply(names(run_columns), function(column) {
    paste(column, write_value(as_column(run$row[[column]], column)))
  }, "")
  c(
    run_head, paste("design", store$design), paste("run", row), values,
    paste("allocation", length(run$allocation)), write_number(run$allocation)
  )
}

as_column <- function(x, column) {
  storage.mode(x) <- typeof(run_columns[[column]])
  x
}

# list(runs, damage, foreign): runs by row of the design, NULL where there is none; what is wrong with files, by name;
# and the names of intact files that are of another comparison.
read_runs <- function(store, n) {
  runs <- vector("list", n)
  damage <- character()
  foreign <- character()
  names <- run_name(seq_len(n))
  for (row in which(names %in% list.files(store$dir))) {
    found <- read_run(store, row)
    if (is.null(found$damage)) runs[row] <- list(found$run)
    if (is_damaged(found)) damage[[names[[row]]]] <- found$damage
    if (isTRUE(found$foreign)) foreign <- c(foreign, names[[row]])
  }
  list(runs = runs, damage = damage, foreign = foreign)
}

# list(run), or list(damage) with what is wrong, and `foreign` TRUE when it is of another comparison.
read_run <- function(store, row) {
  read <- read_checked(file.path(store$dir, run_name(row)))
  if (!is.null(read$damage)) return(read)
  lines <- read$lines
  values <- 3L + seq_along(run_columns)
  counted <- max(values) + 1L
  if (length(lines) < counted || lines[[1L]] != run_head) return(list(damage = "is not a run's file"))
  if (lines[[2L]] != paste("design", store$design)) return(list(damage = "is of another comparison", foreign = TRUE))
  if (lines[[3L]] != paste("run", row)) return(list(damage = paste0("is of another run (", lines[[3L]], ")")))
  row <- Map(read_field, lines[values], names(run_columns), run_columns)
  names(row) <- names(run_columns)
  allocation <- read_number(lines[-seq_len(counted)])
  whole <- identical(lines[[counted]], paste("allocation", length(lines) - counted)) &&
    !is.null(allocation) && !any(vapply(row, is.null, NA))
  if (!whole) return(list(damage = "has a line that is not of its form"))
  list(run = list(row = row, allocation = if (length(allocation) > 0L) allocation))
}

# The value behind `name `, in the type of `like`; NULL when the line is something else.
read_field <- function(line, name, like) {
  if (!startsWith(line, paste0(name, " "))) return(NULL)
  text <- substring(line, nchar(name) + 2L)
  if (is.character(like)) return(read_text(text))
  if (is.logical(like)) return(if (text %in% c("TRUE", "FALSE", "NA")) as.logical(text))
  value <- read_number(text)
  if (is.integer(like) && !is.null(value)) {
    whole <- is.na(value) || abs(value) <= .Machine$integer.max && value == round(value)
    return(if (whole) as.integer(value))
  }
  value
}

# ---- values as text ------------------------------------------------------------------------------

write_value <- function(x) {
  if (is.character(x)) write_text(x) else if (is.logical(x)) as.character(x) else write_number(x)
}

# Whole numbers in decimal digits, others in hexadecimal: both exact.
write_number <- function(x) {
  x <- as.double(x)
  whole <- is.finite(x) & abs(x) <= .Machine$integer.max & x == round(x) & !(x == 0 & 1 / x < 0)
  text <- character(length(x))
  text[whole] <- sprintf("%.0f", x[whole])
  text[is.na(x)] <- ifelse(is.nan(x[is.na(x)]), "NaN", "NA")
  text[is.infinite(x)] <- ifelse(x[is.infinite(x)] > 0, "Inf", "-Inf")
  other <- text == ""
  text[other] <- sprintf("%a", x[other])
  text
}

# Doubles of texts in that form, NULL when one of them is not.
read_number <- function(text) {
  form <- "^-?(0x[01](\\.[0-9a-f]+)?p[+-][0-9]{1,4}|[0-9]{1,10}|Inf)$"
  special <- text %in% c("NA", "NaN")
  if (!all(special | grepl(form, text))) return(NULL)
  value <- numeric(length(text))
  value[!special] <- as.numeric(text[!special])
  value[special] <- ifelse(text[special] == "NaN", NaN, NA_real_)
  value
}

# One line in quotes, of any text; NA without them.
write_text <- function(x) {
  if (is.na(x)) return("NA")
  x <- gsub("\\", "\\\\", enc2utf8(x), fixed = TRUE)
  x <- gsub("\n", "\\n", x, fixed = TRUE)
  paste0("\"", gsub("\r", "\\r", x, fixed = TRUE), "\"")
}

# NULL when it is not in that form.
read_text <- function(text) {
  if (text == "NA") return(NA_character_)
  inside <- "^\"(([^\\\\]|\\\\[\\\\nr])*)\"$"
  if (!grepl(inside, text)) return(NULL)
  text <- sub(inside, "\\1", text)
  # each backslash with what follows it, from the left
  at <- gregexpr("\\\\.", text)
  regmatches(text, at) <- lapply(regmatches(text, at), function(pair) {
    unname(c(`\\\\` = "\\", `\\n` = "\n", `\\r` = "\r")[pair])
  })
  text
}

# ---- files ---------------------------------------------------------------------------------------

# Writes lines and their sum beside the place, then renames; whether that worked. With replace = FALSE a file that is
# there already stays.
write_checked <- function(path, lines, replace = TRUE, keep = TRUE) {
  beside <- tempfile("writing-", dirname(path))
  on.exit(unlink(beside))
  body <- paste0(paste0(lines, "\n"), collapse = "")
  tryCatch(
    suppressWarnings({
      writeBin(charToRaw(paste0(body, "md5 ", text_sum(lines), "\n")), beside)
      if (keep) put_in_place(beside, path, replace) else TRUE
    }),
    error = function(e) FALSE
  )
}

# A second name for a file is refused where the name is taken, which renaming is not; some file systems have none.
put_in_place <- function(beside, path, replace) {
  if (!replace && (file.link(beside, path) || file.exists(path))) return(TRUE)
  file.rename(beside, path)
}

# list(lines), or list(damage) with what is wrong.
read_checked <- function(path) {
  size <- file.size(path)
  if (is.na(size)) return(list(damage = "is missing"))
  if (size == 0) return(list(damage = "is empty"))
  if (size > 2^30) return(list(damage = "is too large"))
  bytes <- tryCatch(suppressWarnings(readBin(path, "raw", size)), error = function(e) NULL)
  if (is.null(bytes) || dir.exists(path)) return(list(damage = "cannot be read"))
  if (any(bytes == 0L)) return(list(damage = "is not text"))
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  if (!validUTF8(text)) return(list(damage = "is not text"))
  lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
  sum <- lines[length(lines)]
  if (!grepl("^md5 [0-9a-f]{32}$", sum) || !endsWith(text, paste0(sum, "\n"))) {
    return(list(damage = "is cut short, or has no sum"))
  }
  lines <- lines[-length(lines)]
  if (sum != paste("md5", text_sum(lines))) return(list(damage = "is not what was written (its sum differs)"))
  list(lines = lines)
}
