library(testthat)
library(capalloc)

test_check("capalloc")
