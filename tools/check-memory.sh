#!/bin/sh
# Runs the tests on a build of capalloc with gcc's address and undefined-behaviour sanitizers; any report fails it.
# Call: sh tools/check-memory.sh [quick], quick for the tests of the C core only

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

# Every routine, not every network: the repetitions of the slow files add nothing here.
core="^(ffi|tangent|tangent-samples|linearise|lower|layer-.*|fit|fit-rows|graph|optim|capacity|capacity-kernel|capacity-table|propagate|propagate-moments|decoupling)$"
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"

case "${1:-}" in
  "") filter="" ;;
  quick) filter=$core ;;
  *) die "call: sh tools/check-memory.sh [quick]" ;;
esac
set_up test
have gcc || need_compilers c "$toolchain"
have gcc || die "the sanitizers are gcc's: ask the administrator for gcc"

cat > "$work/Makevars" << MAKEVARS
CC = gcc
CFLAGS = -g -O1 -Wall -U_FORTIFY_SOURCE $flags
LDFLAGS = $flags
MAKEVARS
R_MAKEVARS_USER=$work/Makevars
export R_MAKEVARS_USER
# R cannot load this build without the sanitizers' runtimes, which only the tests have.
install_capalloc sanitized --no-test-load

# Leaks are not looked for: R itself never frees what it holds when it ends. A process with an error ends at once, so
# that one which a test has started fails its test; the address sanitizer writes to a file, the other to stderr.
mkdir "$work/reports"
ASAN_OPTIONS=detect_leaks=0:log_path=$work/reports/address
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TESTTHAT_PARALLEL=false
export ASAN_OPTIONS UBSAN_OPTIONS OMP_NUM_THREADS OPENBLAS_NUM_THREADS TESTTHAT_PARALLEL
runtimes="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"

say "Running the tests under the sanitizers (slower, one at a time) ..."
status=0
(LD_PRELOAD=$runtimes; export LD_PRELOAD; run_tests ${filter:+"$filter"}) || status=$?

# Below the first calls a report's stack is R's own.
for report in "$work/reports"/*; do
  [ ! -e "$report" ] || { status=report; head -n 40 "$report"; }
done
! grep -q 'runtime error:' "$work/tests.log" || status=report
case $status in
  0) say "The sanitizers found no error" ;;
  report) die "the sanitizers found errors, above" ;;
  *) die "the tests failed under the sanitizers" ;;
esac
