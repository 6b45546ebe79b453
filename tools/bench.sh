#!/bin/sh
# Runs capalloc's benchmarks, one script per question, after installing whatever is missing; prints their tables.
# Call: sh tools/bench.sh [QUESTION ...], a question the name of a script in bench/ without .R; none for all of them.
# CAPALLOC_BENCH_QUICK=1 makes them small and few; bench/bench.R says what else can be set. On Debian
# R_LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack gives R its reference BLAS.

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

# What the scripts share is not a question.
questions() { (cd "$top/bench" && ls -- *.R) | sed -e 's/\.R$//' -e '/^bench$/d'; }

for question in "$@"; do
  questions | grep -Fqx -- "$question" || die "there is no question '$question', only: $(questions | tr '\n' ' ')"
done
# shellcheck disable=SC2046 # one word a name
[ $# -gt 0 ] || set -- $(questions)

set_up bench
install_capalloc

# A BLAS reads its number of threads when R starts.
: "${OMP_NUM_THREADS:=1}" "${OPENBLAS_NUM_THREADS:=$OMP_NUM_THREADS}"
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
status=0
for question in "$@"; do
  printf '\n---- %s ----\n' "$question"
  Rscript "$top/bench/$question.R" < /dev/null || { status=1; say "$question failed"; }
done
exit "$status"
