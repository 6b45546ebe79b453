#!/bin/sh
# Measures the test coverage of the R and C code. It prints for each file how many of its lines ran and which lines did
# not, then the totals.
# Call: sh tools/coverage.sh [FILTER]; FILTER is a pattern of names of test files, such as capacity

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 1 ] || die "call: sh tools/coverage.sh [FILTER]"
set_up coverage
need_compilers c "$toolchain"
have gcov || die "gcov, which is part of gcc, is not installed"

copy_sources
cp -R "$top/tests" "$work/capalloc/"
chmod -R u+w "$work/capalloc"
NOT_CRAN=true CAPALLOC_SOURCE=$top OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
: "${TESTTHAT_PARALLEL:=true}" "${TESTTHAT_CPUS:=2}"
export NOT_CRAN CAPALLOC_SOURCE OMP_NUM_THREADS OPENBLAS_NUM_THREADS TESTTHAT_PARALLEL TESTTHAT_CPUS
cd "$work"
Rscript "$top/tools/coverage.R" capalloc "$@" < /dev/null
