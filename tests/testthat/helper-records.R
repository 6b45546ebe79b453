# The constructor of a record returns a list whose names are its formals, in their order. A field that is missing
# (unless it has a default) and one that is unknown are errors.
expect_constructor <- function(constructor) {
  fields <- formals(constructor)
  values <- lapply(fields, function(default) 1)
  testthat::expect_named(do.call(constructor, values), names(fields))
  required <- names(fields)[vapply(fields, function(default) identical(default, substitute()), NA)]
  for (field in required) {
    testthat::expect_error(do.call(constructor, values[names(values) != field]), paste0("\"", field, "\" is missing"))
  }
  testthat::expect_error(do.call(constructor, c(values, list(unknown_field = 1))), "unused argument")
}
