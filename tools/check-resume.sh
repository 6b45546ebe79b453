#!/bin/sh
# Kills sessions and workers (SIGKILL) at random moments of a comparison with a checkpoint, and fails unless each one,
# resumed, ends with the result that it would have had.
# Call: sh tools/check-resume.sh [KILLS [SEED]], KILLS of sessions and as many of workers (20)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/check-resume.sh [KILLS [SEED]]"
set_up test
install_capalloc
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
Rscript "$top/tools/check-resume.R" "${1:-20}" "${2:-1}" || die "a resumed result differs, above"
