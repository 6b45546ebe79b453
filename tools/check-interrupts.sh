#!/bin/sh
# Interrupts fits, allocations, propagations and comparisons at random moments. It fails if that changes the session.
# Call: sh tools/check-interrupts.sh [N [SEED]]: N interrupts (200) during a call, with SEED (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/check-interrupts.sh [N [SEED]]"
set_up test
install_capalloc
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
Rscript "$top/tools/check-interrupts.R" "${1:-200}" "${2:-1}" || die "an interrupt changed the session or a value (see above)"
say "No interrupt changed the session or a value"
