# Checkpoints: a directory with one plain text file per finished run, and a manifest of the comparison.
#
# Files are parsed line by line in a fixed format and never evaluated. Every file ends with the md5 sum of the lines
# above it. It is written under a temporary name and then renamed, so that it is either complete or missing: several
# sessions and workers can write at the same time, and a kill at any moment loses no finished run. Doubles are written
# in hexadecimal ("%a"), which is exact.
#
# The file of a run is named after its network, task and replicate. It states the values that determine the run: name
# and fingerprint of its network and its task, the replicate, its seed, n_obs and the arguments of fit(). It does not
# depend on the other networks and tasks or on the number of replicates, so a comparison can be extended in its
# directory. The manifest lists names and fingerprints of all networks and tasks of all calls, so that a name cannot
# change its meaning.

manifest_name <- "capalloc-manifest.txt"

# File names of runs (rows of the design): parts of the names of network and task, the md5 sum of the complete names,
# and the replicate.
checkpoint_run_name <- function(design) {
  pair <- paste(design$network, design$task, sep = "\r")
  first <- which(!duplicated(pair))
  stems <- vapply(first, function(i) {
    names <- c(design$network[[i]], design$task[[i]])
    sum <- fingerprint_text_sum(vapply(names, write_checkpoint_text, ""))
    paste(c("run", checkpoint_file_part(names), substr(sum, 1L, 10L)), collapse = "-")
  }, "")
  sprintf("%s-%04d.txt", stems[match(pair, pair[first])], design$replicate)
}

checkpoint_file_part <- function(name) substr(gsub("[^A-Za-z0-9]+", "_", enc2utf8(name), perl = TRUE), 1L, 24L)

# ---- opening -------------------------------------------------------------------------------------

check_checkpoint <- function(checkpoint, arg = "checkpoint", call = rlang::caller_env()) {
  if (is.null(checkpoint)) return(NULL)
  check_string(checkpoint, arg = arg, call = call)
  if (!nzchar(checkpoint)) {
    abort(c("{.arg {arg}} must be {.code NULL} or the path of a directory.", x = "It is \"\"."), "value", call = call)
  }
  checkpoint_directory(checkpoint, arg, call)
}

# Full path of a directory, which is created if it does not exist. A file is written there as a test, since permissions
# do not always decide whether that is possible.
checkpoint_directory <- function(dir, arg, call) {
  if (!dir.exists(dir)) suppressWarnings(dir.create(dir, recursive = TRUE))
  trouble <- if (!dir.exists(dir)) {
    if (file.exists(dir)) "is a file" else "cannot be created"
  } else if (!write_checkpoint_checked(file.path(dir, paste0("writable-", Sys.getpid())), "writable", keep = FALSE)) {
    "cannot be written"
  }
  if (is.null(trouble)) return(normalizePath(dir, "/"))
  abort(c(
    "{.arg {arg}} must be a directory that can be written.",
    x = "{.file {dir}} {trouble}."
  ), "file", call = call)
}

# The seed of the manifest, for calls without a seed; NULL if there is none.
checkpoint_seed <- function(dir) {
  lines <- if (!is.null(dir)) read_checkpoint_checked(file.path(dir, manifest_name))$lines
  seed <- read_checkpoint_number(sub("^seed ", "", grep("^seed ", lines, value = TRUE)))
  if (length(seed) == 1L) seed
}

# Returns a list: `store`, and `done` with the finished runs by row of the design. Damaged files are named in a warning.
# An intact file of a run with the same names but other values counts as damaged only if the manifest lists the values
# of the present call. Otherwise it is not clear which of the two comparisons the directory belongs to: an error.
open_checkpoint <- function(dir, work, call = rlang::caller_env()) {
  asked <- checkpoint_design_lines(work)
  store <- checkpoint_store(dir, work)
  sweep_checkpoint(dir)
  manifest <- read_checkpoint_checked(file.path(dir, manifest_name))
  if (is.null(manifest$damage)) check_checkpoint_manifest(manifest$lines, asked, dir, call)
  found <- read_checkpoint_runs(store, work$design)
  check_checkpoint_foreign(found, store, work$design, manifest, call)
  damage <- c(found$damage, if (is_checkpoint_damaged(manifest)) stats::setNames(manifest$damage, manifest_name))
  if (length(damage) > 0L) warn_checkpoint_damage(damage, dir)
  warn_checkpoint_version(found$made, dir)
  if (!all(asked %in% manifest$lines)) {
    write_checkpoint_manifest(store, asked, manifest$lines, replace = !identical(manifest$damage, "is missing"), call)
  }
  list(store = store, done = found$runs)
}

# A checkpoint that is open:
#   dir     full path of its directory
#   shared  the lines that the files of all runs share: n_obs and the arguments of fit()
#   sums    list(network, task): fingerprints by name; resample: those of the resamples of each task, NULL without any
new_checkpoint_store <- function(dir, shared, sums) list(dir = dir, shared = shared, sums = sums)

checkpoint_store <- function(dir, work) {
  sums <- list(network = vapply(work$networks, fingerprint, ""), task = vapply(work$tasks, fingerprint, ""))
  if (!is.null(work$resamples)) {
    sums$resample <- lapply(work$resamples, vapply, function(r) fingerprint(r[c("train", "test")]), "")
  }
  new_checkpoint_store(dir, checkpoint_shared_lines(work), sums)
}

# Raises an error for files of runs with other values, see open_checkpoint(). `found` is the result of
# read_checkpoint_runs().
check_checkpoint_foreign <- function(found, store, design, manifest, call) {
  foreign <- which(found$foreign)
  vouched <- vapply(foreign, function(row) all(checkpoint_named_lines(store, design[row, ]) %in% manifest$lines), NA)
  foreign <- foreign[!vouched]
  if (length(foreign) == 0L) return(invisible())
  name <- checkpoint_run_name(design[foreign[[1L]], ])
  abort(c(
    "{.arg checkpoint} must be empty or hold this comparison.",
    x = "{.file {file.path(store$dir, name)}} {found$damage[[name]]}.",
    x = if (!is.null(manifest$damage)) "{.file {manifest_name}} {manifest$damage}.",
    i = "Use another directory, or delete this one to start again."
  ), "checkpoint", call = call)
}

# Deletes temporary files of writes that were interrupted. They are older than an hour, so that no write of another
# session is in progress.
sweep_checkpoint <- function(dir) {
  left <- list.files(dir, "^writing-", full.names = TRUE)
  unlink(left[which(difftime(Sys.time(), file.mtime(left), units = "hours") > 1)])
}

# Whether the result of read_checkpoint_checked() or read_checkpoint_run() is that of a file that exists but is damaged.
is_checkpoint_damaged <- function(read) !is.null(read$damage) && read$damage != "is missing"

warn_checkpoint_damage <- function(damage, dir) {
  shown <- damage[seq_len(min(length(damage), 10L))]
  said <- stats::setNames(gsub("([{}])", "\\1\\1", paste0(names(shown), ": ", shown)), rep("x", length(shown)))
  warn(c(
    "{.file {dir}} has {length(damage)} damaged file{?s}, which {?is/are} computed again:",
    said,
    if (length(damage) > length(shown)) c(i = "... and {length(damage) - length(shown)} more.")
  ), "checkpoint", damaged = names(damage))
}

# ---- the manifest --------------------------------------------------------------------------------

# The lines of the manifest for a comparison: `kind value`, or `kind "name" fingerprint`.
checkpoint_design_lines <- function(work) {
  named <- function(what, list) {
    paste(what, vapply(names(list), write_checkpoint_text, ""), vapply(list, fingerprint, ""))
  }
  c(
    paste("seed", write_checkpoint_number(work$seed)), checkpoint_shared_lines(work), named("network", work$networks),
    named("task", work$tasks)
  )
}

# The lines that the files of all runs share: n_obs and the arguments of fit(), sorted by name.
checkpoint_shared_lines <- function(work) {
  given <- Filter(Negate(is.null), work$fitting)
  given <- given[order(as.character(names(given)), method = "radix")]
  c(
    paste("n_obs", write_checkpoint_number(work$n_obs)),
    if (length(given) > 0L) {
      paste("argument", vapply(names(given), write_checkpoint_text, ""), vapply(given, fingerprint, ""))
    }
  )
}

manifest_head <- "capalloc checkpoint 2"

checkpoint_made_with <- function() paste("made with capalloc", own_version())

# Adds the lines `asked` to the lines `there` of the manifest. If two sessions write at the same time, the later file
# replaces the other. Each session therefore reads the file again and adds its lines until they are there, at most 20
# times.
write_checkpoint_manifest <- function(store, asked, there, replace, call) {
  path <- file.path(store$dir, manifest_name)
  for (attempt in 1:20) {
    if (is.null(there)) there <- c(manifest_head, checkpoint_made_with())
    write_checkpoint_checked(path, c(there, setdiff(asked, there)), replace = replace)
    written <- read_checkpoint_checked(path)
    if (!is.null(written$damage)) {
      abort(c(
        "{.arg checkpoint} must be a directory that can be written.",
        x = "{.file {path}} {written$damage} after it was written."
      ), "file", call = call)
    }
    check_checkpoint_manifest(written$lines, asked, store$dir, call)
    if (all(asked %in% written$lines)) return(invisible())
    there <- written$lines
    replace <- TRUE
  }
}

# Raises an error if a manifest differs from this comparison in its seed, n_obs, arguments or the values of a network or
# task. Networks and tasks that only one of them has are allowed.
check_checkpoint_manifest <- function(lines, asked, dir, call) {
  if (!identical(lines[1L], manifest_head)) {
    abort(c(
      "{.arg checkpoint} must be a directory that this version of capalloc can read.",
      x = "{.file {file.path(dir, manifest_name)}} begins with {.val {lines[1L]}}.",
      i = "Use another directory, or delete this one to start again."
    ), "checkpoint", call = call)
  }
  differs <- gsub("([{}])", "\\1\\1", checkpoint_design_differences(lines[-(1:2)], asked))
  if (length(differs) == 0L) return(invisible())
  abort(c(
    "{.arg checkpoint} must be empty or hold this comparison.",
    x = "{.file {dir}} holds another comparison, which differs in:",
    stats::setNames(differs, rep("*", length(differs))),
    i = "Use another directory, or delete this one to start again."
  ), "checkpoint", call = call)
}

# Warns of runs of another version. `made` are the lines "made with ..." of the files that were read.
warn_checkpoint_version <- function(made, dir) {
  other <- setdiff(made, checkpoint_made_with())
  if (length(other) == 0L) return(invisible())
  warn(c(
    "Finished runs in {.file {dir}} were {.or {other}}, not with this version.",
    i = "Delete the directory to compute all runs with one version."
  ), "checkpoint")
}

# Texts of the differences between lines of a file and of this call, such as "`seed`: 1 there, 2 here". With `extended`,
# networks and tasks that only one side has are no differences.
checkpoint_design_differences <- function(there, here, extended = TRUE) {
  there <- checkpoint_design_fields(there)
  here <- checkpoint_design_fields(here)
  differs <- vapply(union(names(there), names(here)), function(field) {
    if (extended && grepl("^`(networks|tasks)[$]", field) && anyNA(c(there[field], here[field]))) return("")
    if (is.na(there[field])) return("only here")
    if (is.na(here[field])) return("only there")
    if (identical(there[[field]], here[[field]])) return("")
    if (grepl("^`(replicate|n_obs|seed)`$", field)) {
      return(paste(checkpoint_show_number(there[[field]]), "there,", checkpoint_show_number(here[[field]]), "here"))
    }
    "a different value there"
  }, "")
  differs <- differs[differs != ""]
  if (length(differs) > 0L) paste0(names(differs), ": ", differs)
}

# The values of lines of a manifest or a run, named by the arguments of the call, such as `networks$dense`. The value of
# a network, task or further argument is its fingerprint.
checkpoint_design_fields <- function(lines) {
  kind <- sub(" .*", "", lines)
  rest <- sub("^[^ ]* ", "", lines)
  named <- kind %in% c("argument", "network", "task")
  name <- ifelse(named, sub(" [0-9a-f]*$", "", rest), "")
  name <- vapply(name, function(x) if (x == "") "" else paste(c(read_checkpoint_text(x), "?")[[1L]]), "")
  labels <- c(argument = "", network = "networks$", task = "tasks$")
  field <- ifelse(named, paste0("`", labels[kind], name, "`"), paste0("`", kind, "`"))
  stats::setNames(ifelse(named, sub(".* ", "", rest), rest), field)
}

checkpoint_show_number <- function(text) {
  value <- read_checkpoint_number(text)
  if (is.null(value)) text else format(value, scientific = FALSE)
}

# ---- runs ----------------------------------------------------------------------------------------

# The run of the design's row `key`, read from the store. If the store does not have it, `code` is evaluated and the run
# is written. With NULL for `store`, nothing is read or written.
checkpoint_stored_run <- function(store, key, code) {
  if (is.null(store)) return(code)
  found <- read_checkpoint_run(store, key)
  if (is.null(found$damage)) return(found$run)
  run <- code
  write_checkpoint_run(store, key, run)
  run
}

# Whether a run could be written. A worker on another machine may have no access to the directory.
write_checkpoint_run <- function(store, key, run) {
  if (!file.exists(file.path(store$dir, manifest_name))) return(FALSE)
  write_checkpoint_checked(file.path(store$dir, checkpoint_run_name(key)), checkpoint_run_lines(store, key, run))
}

run_head <- "capalloc run 2"

checkpoint_run_lines <- function(store, key, run) {
  values <- vapply(names(run_columns), function(column) {
    paste(column, write_checkpoint_value(checkpoint_as_column(run$row[[column]], column)))
  }, "")
  c(
    run_head, checkpoint_made_with(), checkpoint_key_lines(store, key), values, paste("allocation",
      length(run$allocation)),
    write_checkpoint_number(run$allocation)
  )
}

# The lines of the values that determine a run.
checkpoint_key_lines <- function(store, key) {
  c(
    checkpoint_named_lines(store, key), paste("replicate", write_checkpoint_number(key$replicate)),
    paste("seed", write_checkpoint_number(key$seed)),
    if (!is.null(store$sums$resample)) paste("resample", store$sums$resample[[key$task]][[key$replicate]]),
    store$shared
  )
}

checkpoint_named_lines <- function(store, key) {
  c(
    paste("network", write_checkpoint_text(key$network), store$sums$network[[key$network]]),
    paste("task", write_checkpoint_text(key$task), store$sums$task[[key$task]])
  )
}

checkpoint_as_column <- function(x, column) {
  storage.mode(x) <- typeof(run_columns[[column]])
  x
}

# Returns a list: `runs` by row of the design, NULL where there is no intact file; `damage`, texts by file name;
# `foreign`, whether a row has an intact file of a run with other values; `made`, the lines "made with ..." of all runs.
read_checkpoint_runs <- function(store, design) {
  n <- nrow(design)
  runs <- vector("list", n)
  damage <- character()
  foreign <- logical(n)
  made <- character()
  names <- checkpoint_run_name(design)
  for (row in which(names %in% list.files(store$dir))) {
    found <- read_checkpoint_run(store, design[row, ])
    if (is.null(found$damage)) runs[row] <- list(found$run)
    if (is_checkpoint_damaged(found)) damage[[names[[row]]]] <- found$damage
    foreign[[row]] <- isTRUE(found$foreign)
    made <- union(made, found$made)
  }
  list(runs = runs, damage = damage, foreign = foreign, made = made)
}

# Returns list(run, made) of an intact file, `made` the line "made with ...". Else list(damage), a text, with `foreign`
# TRUE for an intact file of a run with other values.
read_checkpoint_run <- function(store, key) {
  read <- read_checkpoint_checked(file.path(store$dir, checkpoint_run_name(key)))
  if (!is.null(read$damage)) return(read)
  lines <- read$lines
  determined <- checkpoint_key_lines(store, key)
  if (length(lines) < 3L || lines[[1L]] != run_head) return(list(damage = "is not the file of a run"))
  values <- 2L + length(determined) + seq_along(run_columns)
  counted <- max(values) + 1L
  if (!identical(lines[2L + seq_along(determined)], determined)) return(checkpoint_other_run(lines, determined))
  if (length(lines) < counted) return(list(damage = "has a line that is not in its format"))
  row <- Map(read_checkpoint_field, lines[values], names(run_columns), run_columns)
  names(row) <- names(run_columns)
  allocation <- read_checkpoint_number(lines[-seq_len(counted)])
  whole <- identical(lines[[counted]], paste("allocation", length(lines) - counted)) &&
    !is.null(allocation) && !any(vapply(row, is.null, NA))
  if (!whole) return(list(damage = "has a line that is not in its format"))
  list(run = new_run(row, if (length(allocation) > 0L) allocation), made = lines[[2L]])
}

# The result of read_checkpoint_run() for a file whose lines differ from `determined`. The lines that determine a run
# end where its columns begin.
checkpoint_other_run <- function(lines, determined) {
  end <- grep(paste0("^", names(run_columns)[[1L]], " "), lines)
  if (length(end) == 0L || end[[1L]] < 4L) return(list(damage = "is not the file of a run"))
  differs <- checkpoint_design_differences(lines[3L:(end[[1L]] - 1L)], determined, extended = FALSE)
  list(damage = paste0("holds another run (", paste(differs, collapse = "; "), ")"), foreign = TRUE)
}

# The value of a line "name value", in the type of `like`; NULL if the line does not have this form.
read_checkpoint_field <- function(line, name, like) {
  if (!startsWith(line, paste0(name, " "))) return(NULL)
  text <- substring(line, nchar(name) + 2L)
  if (is.character(like)) return(read_checkpoint_text(text))
  if (is.logical(like)) return(if (text %in% c("TRUE", "FALSE", "NA")) as.logical(text))
  value <- read_checkpoint_number(text)
  if (is.integer(like) && !is.null(value)) {
    whole <- is.na(value) || abs(value) <= .Machine$integer.max && value == round(value)
    return(if (whole) as.integer(value))
  }
  value
}

# ---- values as text ------------------------------------------------------------------------------

write_checkpoint_value <- function(x) {
  if (is.character(x)) write_checkpoint_text(x) else if (is.logical(x)) as.character(x) else write_checkpoint_number(x)
}

# Doubles as texts, exactly: integers in decimal digits, other numbers in hexadecimal.
write_checkpoint_number <- function(x) {
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

# The doubles of texts of write_checkpoint_number(); NULL if one of them does not have that form.
read_checkpoint_number <- function(text) {
  form <- "^-?(0x[01](\\.[0-9a-f]+)?p[+-][0-9]{1,4}|[0-9]{1,10}|Inf)$"
  special <- text %in% c("NA", "NaN")
  if (!all(special | grepl(form, text))) return(NULL)
  value <- numeric(length(text))
  value[!special] <- as.numeric(text[!special])
  value[special] <- ifelse(text[special] == "NaN", NaN, NA_real_)
  value
}

# A text as one line in quotes, with backslashes, newlines and carriage returns escaped; NA without quotes.
write_checkpoint_text <- function(x) {
  if (is.na(x)) return("NA")
  x <- gsub("\\", "\\\\", enc2utf8(x), fixed = TRUE)
  x <- gsub("\n", "\\n", x, fixed = TRUE)
  paste0("\"", gsub("\r", "\\r", x, fixed = TRUE), "\"")
}

# The text of a line of write_checkpoint_text(); NULL if it does not have that form.
read_checkpoint_text <- function(text) {
  if (text == "NA") return(NA_character_)
  inside <- "^\"(([^\\\\]|\\\\[\\\\nr])*)\"$"
  if (!grepl(inside, text)) return(NULL)
  text <- sub(inside, "\\1", text)
  # pairs of a backslash and the next character, from the left
  at <- gregexpr("\\\\.", text)
  regmatches(text, at) <- lapply(regmatches(text, at), function(pair) {
    unname(c(`\\\\` = "\\", `\\n` = "\n", `\\r` = "\r")[pair])
  })
  text
}

# ---- files ---------------------------------------------------------------------------------------

# Writes lines and their md5 sum to a temporary file and renames it; returns whether that succeeded. With replace =
# FALSE an existing file is kept; with keep = FALSE the temporary file is only written, as a test.
write_checkpoint_checked <- function(path, lines, replace = TRUE, keep = TRUE) {
  beside <- tempfile("writing-", dirname(path))
  on.exit(unlink(beside))
  body <- paste0(paste0(lines, "\n"), collapse = "")
  tryCatch(
    suppressWarnings({
      writeBin(charToRaw(paste0(body, "md5 ", fingerprint_text_sum(lines), "\n")), beside)
      if (keep) checkpoint_put_in_place(beside, path, replace) else TRUE
    }),
    error = function(e) FALSE
  )
}

# Moves the file `beside` to `path`; returns whether that succeeded. Renaming would replace an existing file. A hard
# link fails if the name exists, so it is tried first with replace = FALSE; some file systems have no hard links.
checkpoint_put_in_place <- function(beside, path, replace) {
  if (!replace && (file.link(beside, path) || file.exists(path))) return(TRUE)
  file.rename(beside, path)
}

# Returns list(lines) of an intact file, without the line of its md5 sum, else list(damage), a text.
read_checkpoint_checked <- function(path) {
  size <- file.size(path)
  if (is.na(size)) return(list(damage = "is missing"))
  if (size == 0) return(list(damage = "is empty"))
  if (size > file_bytes) return(list(damage = "is too large"))
  bytes <- tryCatch(suppressWarnings(readBin(path, "raw", size)), error = function(e) NULL)
  if (is.null(bytes) || dir.exists(path)) return(list(damage = "cannot be read"))
  if (any(bytes == 0L)) return(list(damage = "is not text"))
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  if (!validUTF8(text)) return(list(damage = "is not text"))
  lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
  sum <- lines[length(lines)]
  if (!grepl("^md5 [0-9a-f]{32}$", sum) || !endsWith(text, paste0(sum, "\n"))) {
    return(list(damage = "is truncated, or has no checksum"))
  }
  lines <- lines[-length(lines)]
  if (sum != paste("md5", fingerprint_text_sum(lines))) return(list(damage = "was changed (its checksum differs)"))
  list(lines = lines)
}
