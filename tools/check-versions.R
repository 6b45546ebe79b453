# Called by check-versions.sh with a library and names of packages. Installs the newest version of each package and of
# its dependencies into the library, and prints the versions.

arguments <- commandArgs(TRUE)
lib <- arguments[1]
if ("@CRAN@" %in% getOption("repos")) chooseCRANmirror(graphics = FALSE, ind = 1, local.only = TRUE)
known <- available.packages()
names <- intersect(arguments[-1], rownames(known))
needed <- unlist(tools::package_dependencies(names, known, recursive = TRUE), use.names = FALSE)
base <- rownames(installed.packages(priority = "base"))
wanted <- setdiff(union(names, needed), base)
wanted <- intersect(wanted, rownames(known))
there <- installed.packages(lib)[, "Version"]
old <- wanted[!wanted %in% names(there) | there[wanted] != known[wanted, "Version"]]
if (length(old) > 0) install.packages(old, lib, available = known, Ncpus = 2L)

there <- installed.packages(lib)[, "Version"]
missing <- setdiff(wanted, names(there))
cat(sprintf("version %s %s\n", names, there[names]), sep = "")
if (length(missing) > 0) stop("Packages that could not be installed: ", toString(missing))
