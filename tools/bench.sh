#!/bin/sh
# Installs missing software, runs capalloc's benchmarks and prints their tables.
# Call: sh tools/bench.sh [QUESTION ...]. A QUESTION is the name of a script in bench/ without .R; the default is all.
# CAPALLOC_BENCH_QUICK=1 selects small problems and few repetitions; bench/bench.R describes the other settings. On
# Debian R uses its reference BLAS with
# R_LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack.

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

# bench.R has the functions that the scripts share.
questions() { (cd "$top/bench" && ls -- *.R) | sed -e 's/\.R$//' -e '/^bench$/d'; }

for question in "$@"; do
  questions | grep -Fqx -- "$question" || die "there is no benchmark '$question'; available: $(questions | tr '\n' ' ')"
done
# shellcheck disable=SC2046 # one word per name
[ $# -gt 0 ] || set -- $(questions)

set_up bench
install_capalloc

# BLAS reads its number of threads when R starts.
: "${OMP_NUM_THREADS:=1}" "${OPENBLAS_NUM_THREADS:=$OMP_NUM_THREADS}"
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
status=0
for question in "$@"; do
  printf '\n---- %s ----\n' "$question"
  Rscript "$top/bench/$question.R" < /dev/null || { status=1; say "$question failed"; }
done
exit "$status"
