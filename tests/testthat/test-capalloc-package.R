# Properties of all files together.

test_that("no name is defined twice", {
  folder <- file.path(Sys.getenv("CAPALLOC_SOURCE", ""), "R")
  skip_if(!dir.exists(folder), "the sources are not at hand")
  calls <- unlist(lapply(list.files(folder, full.names = TRUE), parse))
  given <- Filter(function(call) is.call(call) && identical(call[[1L]], quote(`<-`)) && is.name(call[[2L]]), calls)
  names <- vapply(given, function(call) as.character(call[[2L]]), "")
  expect_gt(length(names), 500)
  expect_identical(names[duplicated(names)], character())
})

test_that("lines of examples fit the width of the manual", {
  folder <- file.path(Sys.getenv("CAPALLOC_SOURCE", ""), "man")
  skip_if(!dir.exists(folder), "the sources are not at hand")
  for (file in list.files(folder, "[.]Rd$", full.names = TRUE)) {
    lines <- readLines(file)
    lines <- lines[cumsum(lines == "\\examples{") == 1L]
    lines <- lines[cumsum(lines == "}") == 0L]
    expect_identical(lines[nchar(lines) > 100], character(), label = basename(file))
  }
})
