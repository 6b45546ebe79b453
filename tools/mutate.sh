#!/bin/sh
# Mutation testing: makes small changes (mutants) to a copy of the C core and of the numeric R code, and runs the tests
# of the changed file on each. It prints the mutants that no test detects, and fails unless tests detect nine in ten.
# Call: sh tools/mutate.sh [N [SEED]]: N mutants (300) drawn with SEED (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/mutate.sh [N [SEED]]"
set_up test
need_compilers c "$toolchain"
install_capalloc

# Without debugging information, equal code gives equal object files.
cat > "$work/Makevars" << MAKEVARS
CFLAGS = -O2 -std=gnu11 -w
MAKEVARS
R_MAKEVARS_USER=$work/Makevars
NOT_CRAN=true OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TESTTHAT_PARALLEL=false
# Tests that start other processes would run the installed package there, not the mutant. This setting skips them.
DEVTOOLS_LOAD=true
CAPALLOC_SOURCE=$top
export R_MAKEVARS_USER NOT_CRAN OMP_NUM_THREADS OPENBLAS_NUM_THREADS TESTTHAT_PARALLEL DEVTOOLS_LOAD CAPALLOC_SOURCE

rm -rf "$work/capalloc" # has objects that make would not build again
copy_sources
cp -R "$top/tests" "$work/"
chmod -R u+w "$work/tests"
# A mutant may request all memory.
# shellcheck disable=SC3045 # a shell without these limits runs without them
{ ulimit -v 8000000 && ulimit -c 0; } 2> /dev/null || :
cd "$work"
Rscript "$top/tools/mutate.R" "${1:-300}" "${2:-1}" "$lib" < /dev/null || die "tests detected fewer than nine in ten mutants, or failed without a mutant"
