#!/bin/sh
# Installs missing software and runs capalloc's tests. The last line is the count; the exit code is 0 if all passed.
# Call: sh tools/test.sh [FILTER]; FILTER is a pattern of names of test files, such as capacity

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 1 ] || die "call: sh tools/test.sh [FILTER]"
set_up test
install_capalloc

# Two workers, each with one BLAS thread.
TESTTHAT_PARALLEL=true TESTTHAT_CPUS=2
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export TESTTHAT_PARALLEL TESTTHAT_CPUS OMP_NUM_THREADS OPENBLAS_NUM_THREADS

say "Running the tests ..."
run_tests "$@"
