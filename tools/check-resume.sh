#!/bin/sh
# Kills sessions and workers (SIGKILL) at random moments of a comparison with a checkpoint and resumes the comparison.
# It fails unless each result equals that of an uninterrupted session.
# Call: sh tools/check-resume.sh [KILLS [SEED]]: KILLS (20) of sessions and as many of workers, with SEED (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/check-resume.sh [KILLS [SEED]]"
set_up test
install_capalloc
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
Rscript "$top/tools/check-resume.R" "${1:-20}" "${2:-1}" || die "a resumed result differs (see above)"
