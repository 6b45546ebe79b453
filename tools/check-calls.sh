#!/bin/sh
# Calls every routine of the C core badly: each call must end in an R error, or in an answer where it is still valid.
# A crash, a call without an end or one that outgrows its memory fails this, with the seed and the call's number.
# Call: sh tools/check-calls.sh [N [SEED [FIRST]]], N calls (20000) of a seed (1) from the number FIRST (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 3 ] || die "call: sh tools/check-calls.sh [N [SEED [FIRST]]]"
set_up test
install_capalloc
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
Rscript "$top/tools/check-calls.R" "$top/tests/testthat" "${1:-20000}" "${2:-1}" "${3:-1}" ||
  die "some calls did not end as they must, above"
