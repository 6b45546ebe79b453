#!/bin/sh
# Runs the tests on a build of capalloc with gcc's address and undefined-behaviour sanitizers, then every routine of the
# C core with garbage collection at each allocation. It fails if a sanitizer reports an error or a value changes.
# Without `quick` it also makes invalid calls under the sanitizers, and runs each routine under valgrind.
# Call: sh tools/check-memory.sh [quick]; `quick` runs the tests of the C core only

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

# These test files call every routine. The slow files repeat the same calls on more networks.
core="ffi|capacity-tangent|tangent-samples|capacity-linearise|net-lower|layer-.*|fit|fit-rows|optim|capacity"
core="^($core|capacity-kernel|capacity-table|flow-.*)\$"
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"

case "${1:-}" in
  "") filter="" ;;
  quick) filter=$core ;;
  *) die "call: sh tools/check-memory.sh [quick]" ;;
esac
set_up test
have gcc || need_compilers c "$toolchain"
have gcc || die "gcc, which has the sanitizers, is not installed: ask the administrator"

cat > "$work/Makevars" << MAKEVARS
CC = gcc
CFLAGS = -g -O1 -Wall -U_FORTIFY_SOURCE $flags
LDFLAGS = $flags
MAKEVARS
R_MAKEVARS_USER=$work/Makevars
export R_MAKEVARS_USER
# R cannot load this build without the runtime libraries of the sanitizers, which are preloaded for the tests only.
install_capalloc sanitized --no-test-load

# Leak detection is off, since R does not free its memory at exit. A process with an error exits at once, so a test that
# started it fails. The address sanitizer writes to files, the undefined-behaviour sanitizer to stderr.
mkdir "$work/reports"
ASAN_OPTIONS=detect_leaks=0:log_path=$work/reports/address
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TESTTHAT_PARALLEL=false
export ASAN_OPTIONS UBSAN_OPTIONS OMP_NUM_THREADS OPENBLAS_NUM_THREADS TESTTHAT_PARALLEL
runtimes="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"

sanitized() { (LD_PRELOAD=$runtimes; export LD_PRELOAD; "$@"); }
routines() { Rscript "$top/tools/check-routines.R" "$top/tests/testthat" "$@"; }

say "Running the tests under the sanitizers (slower, one at a time) ..."
status=0
sanitized run_tests ${filter:+"$filter"} || status=$?

few=""
[ -z "$filter" ] || few=few
say "Calling every routine with garbage collection at each allocation ..."
sanitized routines collect $few > "$work/collect.log" 2>&1 || status=routines
cat "$work/collect.log"

if [ -z "$filter" ]; then
  say "Calling every routine with invalid arguments ..."
  # The sanitizers reserve terabytes of address space, so resident memory is limited instead.
  CAPALLOC_CALL_MEMORY=unlimited ASAN_OPTIONS=$ASAN_OPTIONS:hard_rss_limit_mb=6000
  export CAPALLOC_CALL_MEMORY ASAN_OPTIONS
  sanitized Rscript "$top/tools/check-calls.R" "$top/tests/testthat" 5000 2 1 || status=calls
fi

# Further down, the stack of a report consists of R's functions.
for report in "$work/reports"/*; do
  [ ! -e "$report" ] || { status=report; head -n 40 "$report"; }
done
! grep -q 'runtime error:' "$work"/*.log || status=report
case $status in
  0) say "The sanitizers found no error" ;;
  report) die "the sanitizers found errors (see above)" ;;
  routines) die "garbage collection changed the value of a routine (see above)" ;;
  calls) die "some invalid calls ended neither in an error nor in a value (see above)" ;;
  *) die "the tests failed under the sanitizers" ;;
esac

[ -z "$filter" ] || exit 0
have valgrind || ! can_apt || apt_install valgrind
have valgrind || die "valgrind is not installed: ask the administrator"
unset R_MAKEVARS_USER
install_capalloc
say "Calling every routine under valgrind ..."
# There are no suppressions: R itself has no errors in these calls. Memory that R keeps until exit is reachable, so it
# does not count as definitely lost.
valgrind="valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite"
R --no-echo --no-restore --no-save -d "$valgrind" -f "$top/tools/check-routines.R" --args "$top/tests/testthat" twice \
  < /dev/null || die "valgrind found errors (see above)"
say "valgrind found no error"
