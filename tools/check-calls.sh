#!/bin/sh
# Calls every routine of the C core with invalid arguments. Each call must end in an R error, or in a value if the
# arguments are still valid. The check fails if a call crashes R, does not end or exceeds its memory, and prints the
# seed and the number of that call.
# Call: sh tools/check-calls.sh [N [SEED [FIRST]]]: N calls (20000) with SEED (1), from number FIRST (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 3 ] || die "call: sh tools/check-calls.sh [N [SEED [FIRST]]]"
set_up test
install_capalloc
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
Rscript "$top/tools/check-calls.R" "$top/tests/testthat" "${1:-20000}" "${2:-1}" "${3:-1}" ||
  die "some calls ended neither in an error nor in a value (see above)"
