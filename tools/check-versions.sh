#!/bin/sh
# Runs the tests against the versions on CRAN today of all that capalloc imports and suggests, in a library of its own,
# which is kept; those of Debian are what test.sh has. Compiling them the first time takes half an hour of one core.
# Call: sh tools/check-versions.sh [FILTER], FILTER a pattern of test files' names, such as autoplot

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 1 ] || die "call: sh tools/check-versions.sh [FILTER]"
set_up test
need_compilers "c cpp" "$cran_toolchain"
# What the sources need beside compilers; where they are not there, packages that are not compiled are named below.
# shellcheck disable=SC2086 # words
! can_apt || apt_install $cran_toolchain

versions=$(cache_folder)/versions
mkdir -p "$versions"
R_LIBS=$versions${R_LIBS:+:$R_LIBS}
export R_LIBS
say "Installing what CRAN has today into $versions ..."
# shellcheck disable=SC2046 # one word a name
Rscript "$top/tools/check-versions.R" "$versions" $(packages test | sed '/^R /d; s/ .*//') > "$work/log" 2>&1 < /dev/null ||
  failed "Installing from CRAN"
grep '^version ' "$work/log" | sed 's/^version //'

install_capalloc versions
# Each with one BLAS thread.
TESTTHAT_PARALLEL=true TESTTHAT_CPUS=2
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export TESTTHAT_PARALLEL TESTTHAT_CPUS OMP_NUM_THREADS OPENBLAS_NUM_THREADS
run_tests "$@"
