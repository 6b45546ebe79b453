#!/bin/sh
# Makes small changes (mutants) to the C core and to R's numeric code, each in a copy, and runs them against the tests
# of what they are in; fails unless nine in ten of them make a test fail. The list of those that do not is printed.
# Call: sh tools/mutate.sh [N [SEED]], N mutants (300) drawn with SEED (1)

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/mutate.sh [N [SEED]]"
set_up test
need_compilers c "$toolchain"
install_capalloc

# Without debugging information two objects of the same code are the same file.
cat > "$work/Makevars" << MAKEVARS
CFLAGS = -O2 -std=gnu11 -w
MAKEVARS
R_MAKEVARS_USER=$work/Makevars
NOT_CRAN=true OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TESTTHAT_PARALLEL=false
# Tests that start processes would run the installed package there.
DEVTOOLS_LOAD=true
CAPALLOC_SOURCE=$top
export R_MAKEVARS_USER NOT_CRAN OMP_NUM_THREADS OPENBLAS_NUM_THREADS TESTTHAT_PARALLEL DEVTOOLS_LOAD CAPALLOC_SOURCE

rm -rf "$work/capalloc" # where it was installed from, with objects that would not be built again
copy_sources
cp -R "$top/tests" "$work/"
chmod -R u+w "$work/tests"
# A mutant may ask for all the memory there is.
# shellcheck disable=SC3045 # where there are no such limits there are none
{ ulimit -v 8000000 && ulimit -c 0; } 2> /dev/null || :
cd "$work"
Rscript "$top/tools/mutate.R" "${1:-300}" "${2:-1}" "$lib" < /dev/null || die "fewer than nine in ten were killed, or the tests failed"
