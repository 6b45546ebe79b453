#!/bin/sh
# Runs the tests with the current CRAN versions of all packages that capalloc imports and suggests; tools/test.sh uses
# those of Debian. They are kept in a separate library. Compiling them the first time takes half an hour on one core.
# Call: sh tools/check-versions.sh [FILTER]; FILTER is a pattern of names of test files, such as picture

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 1 ] || die "call: sh tools/check-versions.sh [FILTER]"
set_up test
need_compilers "c cpp" "$cran_toolchain"
# Libraries that the sources need beside compilers. If they are missing, the packages that fail to compile are named by
# check-versions.R.
# shellcheck disable=SC2086 # several words
! can_apt || apt_install $cran_toolchain

versions=$(cache_folder)/versions
mkdir -p "$versions"
R_LIBS=$versions${R_LIBS:+:$R_LIBS}
export R_LIBS
say "Installing the current versions of CRAN into $versions ..."
# shellcheck disable=SC2046 # one word per name
Rscript "$top/tools/check-versions.R" "$versions" $(packages test | sed '/^R /d; s/ .*//') > "$work/log" 2>&1 < /dev/null ||
  failed "Installing from CRAN"
grep '^version ' "$work/log" | sed 's/^version //'

install_capalloc versions
# Two workers, each with one BLAS thread.
TESTTHAT_PARALLEL=true TESTTHAT_CPUS=2
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export TESTTHAT_PARALLEL TESTTHAT_CPUS OMP_NUM_THREADS OPENBLAS_NUM_THREADS
run_tests "$@"
