# Checkpoints: a directory with one plain text file per finished run, and a manifest of what was asked.
#
# Reading takes numbers and texts out of lines of a known form, and never evaluates anything. Every file ends in the
# md5 sum of what stands above it, and is written beside its place and then renamed, so that it is there whole or not
# at all: sessions and workers may write at once, and a kill at any moment leaves what was finished. Doubles are written
# in hexadecimal ("%a"), which is exact.
#
# A run belongs to its network, task and replicate by name. Its file states the values that determine it: name and sum
# of its network and its task, the replicate, its seed, n_obs and the arguments of fit(). Other networks and tasks and
# the number of replicates are not part of it, so that one directory serves a study that grows. The manifest lists the
# names and sums of all networks and tasks that were ever asked for, so that a name keeps its values.

manifest_name <- "capalloc-manifest.txt"

# File names of runs (rows of the design): readable parts of the names, a sum of the whole names, and the replicate.
run_name <- function(design) {
  pair <- paste(design$network, design$task, sep = "\r")
  first <- which(!duplicated(pair))
  stems <- vapply(first, function(i) {
    names <- c(design$network[[i]], design$task[[i]])
    sum <- text_sum(vapply(names, write_text, ""))
    paste(c("run", file_part(names), substr(sum, 1L, 10L)), collapse = "-")
  }, "")
  sprintf("%s-%04d.txt", stems[match(pair, pair[first])], design$replicate)
}

file_part <- function(name) substr(gsub("[^A-Za-z0-9]+", "_", enc2utf8(name), perl = TRUE), 1L, 24L)

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

# list(store, done): reads the runs of this comparison and names the files that are damaged. An intact run with the same
# names and other values counts as damage only if the manifest lists the values of the present call. Otherwise it is not
# clear which of the two comparisons the directory belongs to, and the directory is refused.
open_checkpoint <- function(dir, work, call = rlang::caller_env()) {
  asked <- design_lines(work)
  store <- checkpoint_store(dir, work)
  sweep_unfinished(dir)
  manifest <- read_checked(file.path(dir, manifest_name))
  if (is.null(manifest$damage)) check_manifest(manifest$lines, asked, dir, call)
  found <- read_runs(store, work$design)
  check_foreign(found, store, work$design, manifest, call)
  damage <- c(found$damage, if (is_damaged(manifest)) stats::setNames(manifest$damage, manifest_name))
  if (length(damage) > 0L) warn_damage(damage, dir)
  warn_version(found$made, dir)
  if (!all(asked %in% manifest$lines)) {
    write_manifest(store, asked, manifest$lines, replace = !identical(manifest$damage, "is missing"), call)
  }
  list(store = store, done = found$runs)
}

# A checkpoint that is open:
#   dir     full path of its directory
#   shared  the lines that the files of all runs share: n_obs and the arguments of fit()
#   sums    list(network, task): fingerprints by name
new_store <- function(dir, shared, sums) list(dir = dir, shared = shared, sums = sums)

checkpoint_store <- function(dir, work) {
  sums <- list(network = vapply(work$networks, fingerprint, ""), task = vapply(work$tasks, fingerprint, ""))
  new_store(dir, shared_lines(work), sums)
}

check_foreign <- function(found, store, design, manifest, call) {
  foreign <- which(found$foreign)
  vouched <- vapply(foreign, function(row) all(named_lines(store, design[row, ]) %in% manifest$lines), NA)
  foreign <- foreign[!vouched]
  if (length(foreign) == 0L) return(invisible())
  name <- run_name(design[foreign[[1L]], ])
  abort(c(
    "{.arg checkpoint} must be empty or hold this comparison.",
    x = "{.file {file.path(store$dir, name)}} {found$damage[[name]]}.",
    x = if (!is.null(manifest$damage)) "{.file {manifest_name}} {manifest$damage}.",
    i = "Give another directory, or delete this one to begin anew."
  ), "checkpoint", call = call)
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
    paste(what, vapply(names(list), write_text, ""), vapply(list, fingerprint, ""))
  }
  c(
    paste("seed", write_number(work$seed)), shared_lines(work), named("network", work$networks),
    named("task", work$tasks)
  )
}

# Those that all runs share.
shared_lines <- function(work) {
  given <- Filter(Negate(is.null), work$fitting)
  given <- given[order(as.character(names(given)), method = "radix")]
  c(
    paste("n_obs", write_number(work$n_obs)),
    if (length(given) > 0L) {
      paste("argument", vapply(names(given), write_text, ""), vapply(given, fingerprint, ""))
    }
  )
}

manifest_head <- "capalloc checkpoint 2"

made_with <- function() paste("made with capalloc", own_version())

# Adds what was asked to the lines that are `there`. Two sessions may write at once, and the last one wins: each reads
# the result, and adds its own lines again where the other has overwritten them.
write_manifest <- function(store, asked, there, replace, call) {
  path <- file.path(store$dir, manifest_name)
  for (attempt in 1:20) {
    if (is.null(there)) there <- c(manifest_head, made_with())
    write_checked(path, c(there, setdiff(asked, there)), replace = replace)
    written <- read_checked(path)
    if (!is.null(written$damage)) {
      abort(c(
        "{.arg checkpoint} must be a directory that can be written.",
        x = "{.file {path}} {written$damage} after it was written."
      ), "file", call = call)
    }
    check_manifest(written$lines, asked, store$dir, call)
    if (all(asked %in% written$lines)) return(invisible())
    there <- written$lines
    replace <- TRUE
  }
}

# The seed, n_obs and the arguments must be the same; names that are on one side only may be added.
check_manifest <- function(lines, asked, dir, call) {
  if (!identical(lines[1L], manifest_head)) {
    abort(c(
      "{.arg checkpoint} must be a directory that this version of capalloc can read.",
      x = "{.file {file.path(dir, manifest_name)}} begins with {.val {lines[1L]}}.",
      i = "Give another directory, or delete this one to begin anew."
    ), "checkpoint", call = call)
  }
  differs <- gsub("([{}])", "\\1\\1", design_differences(lines[-(1:2)], asked))
  if (length(differs) == 0L) return(invisible())
  abort(c(
    "{.arg checkpoint} must be empty or hold this comparison.",
    x = "{.file {dir}} holds another one, which differs in:",
    stats::setNames(differs, rep("*", length(differs))),
    i = "Give another directory, or delete this one to begin anew."
  ), "checkpoint", call = call)
}

# `made` are the first lines of the runs that were read, which say by which version.
warn_version <- function(made, dir) {
  other <- setdiff(made, made_with())
  if (length(other) == 0L) return(invisible())
  warn(c(
    "Finished runs in {.file {dir}} were {.or {other}}, not with this version.",
    i = "Delete the directory to compute all runs with one version."
  ), "checkpoint")
}

# In the words of the call, such as "`seed`: 1 there, 2 here". Networks and tasks may be on one side only where
# `extended` is TRUE.
design_differences <- function(there, here, extended = TRUE) {
  there <- design_fields(there)
  here <- design_fields(here)
  differs <- vapply(union(names(there), names(here)), function(field) {
    if (extended && grepl("^`(networks|tasks)[$]", field) && anyNA(c(there[field], here[field]))) return("")
    if (is.na(there[field])) return("only here")
    if (is.na(here[field])) return("only there")
    if (identical(there[[field]], here[[field]])) return("")
    if (grepl("^`(replicate|n_obs|seed)`$", field)) {
      return(paste(show_number(there[[field]]), "there,", show_number(here[[field]]), "here"))
    }
    "another one there"
  }, "")
  differs <- differs[differs != ""]
  if (length(differs) > 0L) paste0(names(differs), ": ", differs)
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

# A run of one row of the design, `key`, from the store or, where it has none, from `code`, written at once. NULL for
# `store` keeps nothing.
stored_run <- function(store, key, code) {
  if (is.null(store)) return(code)
  found <- read_run(store, key)
  if (is.null(found$damage)) return(found$run)
  run <- code
  write_run(store, key, run)
  run
}

# Whether it was written. A worker on another machine may not see the directory.
write_run <- function(store, key, run) {
  if (!file.exists(file.path(store$dir, manifest_name))) return(FALSE)
  write_checked(file.path(store$dir, run_name(key)), run_lines(store, key, run))
}

run_head <- "capalloc run 2"

run_lines <- function(store, key, run) {
  values <- vapply(names(run_columns), function(column) {
    paste(column, write_value(as_column(run$row[[column]], column)))
  }, "")
  c(
    run_head, made_with(), key_lines(store, key), values, paste("allocation", length(run$allocation)),
    write_number(run$allocation)
  )
}

# What determines a run, a line each.
key_lines <- function(store, key) {
  c(
    named_lines(store, key), paste("replicate", write_number(key$replicate)), paste("seed", write_number(key$seed)),
    store$shared
  )
}

named_lines <- function(store, key) {
  c(
    paste("network", write_text(key$network), store$sums$network[[key$network]]),
    paste("task", write_text(key$task), store$sums$task[[key$task]])
  )
}

as_column <- function(x, column) {
  storage.mode(x) <- typeof(run_columns[[column]])
  x
}

# list(runs, damage, foreign, made): runs by row of the design, NULL where there is none; what is wrong with files, by
# name; which rows have an intact file of other values; and the versions that made the runs.
read_runs <- function(store, design) {
  n <- nrow(design)
  runs <- vector("list", n)
  damage <- character()
  foreign <- logical(n)
  made <- character()
  names <- run_name(design)
  for (row in which(names %in% list.files(store$dir))) {
    found <- read_run(store, design[row, ])
    if (is.null(found$damage)) runs[row] <- list(found$run)
    if (is_damaged(found)) damage[[names[[row]]]] <- found$damage
    foreign[[row]] <- isTRUE(found$foreign)
    made <- union(made, found$made)
  }
  list(runs = runs, damage = damage, foreign = foreign, made = made)
}

# list(run, made), or list(damage) with what is wrong, and `foreign` TRUE when it is intact and of other values.
read_run <- function(store, key) {
  read <- read_checked(file.path(store$dir, run_name(key)))
  if (!is.null(read$damage)) return(read)
  lines <- read$lines
  determined <- key_lines(store, key)
  if (length(lines) < 3L || lines[[1L]] != run_head) return(list(damage = "is not a run's file"))
  values <- 2L + length(determined) + seq_along(run_columns)
  counted <- max(values) + 1L
  if (!identical(lines[2L + seq_along(determined)], determined)) return(other_run(lines, determined))
  if (length(lines) < counted) return(list(damage = "has a line that is not of its form"))
  row <- Map(read_field, lines[values], names(run_columns), run_columns)
  names(row) <- names(run_columns)
  allocation <- read_number(lines[-seq_len(counted)])
  whole <- identical(lines[[counted]], paste("allocation", length(lines) - counted)) &&
    !is.null(allocation) && !any(vapply(row, is.null, NA))
  if (!whole) return(list(damage = "has a line that is not of its form"))
  list(run = new_run(row, if (length(allocation) > 0L) allocation), made = lines[[2L]])
}

# The lines that determine a run end where its columns begin.
other_run <- function(lines, determined) {
  end <- grep(paste0("^", names(run_columns)[[1L]], " "), lines)
  if (length(end) == 0L || end[[1L]] < 4L) return(list(damage = "is not a run's file"))
  differs <- design_differences(lines[3L:(end[[1L]] - 1L)], determined, extended = FALSE)
  list(damage = paste0("is of another run (", paste(differs, collapse = "; "), ")"), foreign = TRUE)
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
