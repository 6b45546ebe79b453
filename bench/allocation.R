# How long does an allocation take, compared with svd() and with a floor, the time that LAPACK needs for the necessary
# steps? Are its ranks and leverages equal to those of the SVD? Tangents J of 4096 x 1000 and 20000 x 1000 (see
# matrix_question() in bench.R): Gaussian (well conditioned), singular values from 1 to 1e-7 (ill conditioned), rank 900
# (rank deficient). Floors: crossprod(J), eigen(G, symmetric = TRUE), J %*% V for well conditioned J; dgeqrf(J),
# dgesdd(R), J %*% V for the others. Targets: at most 1.5 times the floor, at least 3 times faster than svd(J), equal
# ranks, leverages within max(1e-8, 100 eps s_1 / s_r).

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

p <- if (quick) 200 else 1000

# floor.c is compiled by R CMD SHLIB, so that it is linked to the LAPACK of R.
compile_floor <- function() {
  folder <- tempfile()
  dir.create(folder)
  file.copy(file.path(bench_folder, "floor.c"), folder)
  writeLines("PKG_LIBS = $(LAPACK_LIBS) $(BLAS_LIBS) $(FLIBS)", file.path(folder, "Makevars"))
  own <- setwd(folder)
  on.exit(setwd(own))
  said <- system2(file.path(R.home("bin"), "R"), c("CMD", "SHLIB", "floor.c"), stdout = TRUE, stderr = TRUE)
  shared <- file.path(folder, paste0("floor", .Platform$dynlib.ext))
  if (!file.exists(shared)) stop("floor.c did not compile:\n", paste(said, collapse = "\n"))
  getNativeSymbolInfo("floor_qr_svd", dyn.load(shared))
}
floor_qr_svd <- compile_floor()

gaussian <- function(n, p) matrix(rnorm(n * p), n)
basis <- function(x) qr.Q(qr(x, LAPACK = TRUE))
tangents <- list(
  well = function(n) gaussian(n, p),
  ill = function(n) basis(gaussian(n, p)) %*% (10^seq(0, -7, length.out = p) * t(basis(gaussian(p, p)))),
  deficient = function(n) gaussian(n, 0.9 * p) %*% gaussian(0.9 * p, p)
)

# Compares an allocation with the SVD of J with scaled columns. Returns a list: `rank` and `svd_rank`, `off` the largest
# error of a leverage, `most` the largest error allowed.
check <- function(J, core, tol) {
  s <- svd(J %*% diag(1 / sqrt(colSums(J^2))), nv = 0)
  rank <- sum(s$d > tol * s$d[[1]])
  U <- s$u[, seq_len(rank)]
  list(
    rank = core$rank, svd_rank = rank, off = max(abs(rowSums(U^2) - core$answer)),
    most = max(1e-8, 100 * .Machine$double.eps * s$d[[1]] / s$d[[rank]])
  )
}

set.seed(1)
rows <- list()
for (n in if (quick) 1000 else c(4096, 20000)) {
  for (kind in names(tangents)) {
    J <- tangents[[kind]](n)
    question <- matrix_question(J)
    exact <- check(J, allocate_matrix(question), question$tol)
    took <- if (kind == "well") {
      seconds_each(own = allocate_matrix(question), svd = svd(J), floor = {
        V <- eigen(crossprod(J), symmetric = TRUE)$vectors
        J %*% V
      })
    } else {
      seconds_each(own = allocate_matrix(question), svd = svd(J), floor = {
        Vt <- .Call(floor_qr_svd, J)
        tcrossprod(J, Vt)
      })
    }
    rows[[length(rows) + 1]] <- data.frame(
      rows = n, p = p, kind = kind, seconds = took[["own"]], floor_seconds = took[["floor"]],
      ratio = took[["own"]] / took[["floor"]], most = 1.5, svd_seconds = took[["svd"]],
      faster = took[["svd"]] / took[["own"]], least = 3, rank = exact$rank, svd_rank = exact$svd_rank,
      leverage_off = exact$off, leverage_most = exact$most
    )
    rm(J)
  }
}
show(do.call(rbind, rows))
