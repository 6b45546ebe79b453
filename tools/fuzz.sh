#!/bin/sh
# Fuzzes the C core below the border with clang's libFuzzer and its address and undefined-behaviour sanitizers. It
# replays fuzz/regressions.txt and fuzz/corpus.txt, then fuzzes from these inputs. It fails at the first finding;
# fuzz/fuzz-core.c lists the faults that it detects.
# Call: sh tools/fuzz.sh [SECONDS [keep]]: SECONDS (60) of fuzzing; `keep` minimises the corpus into fuzz/corpus.txt

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 2 ] || die "call: sh tools/fuzz.sh [SECONDS [keep]]"
seconds=${1:-60}
case "$seconds${2:+ $2}" in
  *[!0-9]*' keep' | ' keep' | '') die "call: sh tools/fuzz.sh [SECONDS [keep]]" ;;
  *' keep') ;;
  *[!0-9]*) die "call: sh tools/fuzz.sh [SECONDS [keep]]" ;;
esac

sanitizers="-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
debian_clang="clang-14 libclang-rt-14-dev"

# Sets clang to one that links the runtime library of the fuzzer.
find_clang() {
  mkdir -p "$work/probe"
  printf 'int LLVMFuzzerTestOneInput(const char *x, unsigned long n) { return x == 0 && n > 0; }\n' > "$work/probe/fuzz.c"
  for clang in ${CAPALLOC_CLANG:-} clang clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    # shellcheck disable=SC2086 # several words
    ! "$clang" -fsanitize=fuzzer $sanitizers "$work/probe/fuzz.c" -o "$work/probe/fuzz" > "$work/log" 2>&1 || return 0
  done
  return 1
}

need_clang() {
  find_clang && return 0
  # shellcheck disable=SC2086
  ! can_apt || { apt_install $debian_clang; find_clang && return 0; }
  tail -n 5 "$work/log" >&2
  die "no clang links -fsanitize=fuzzer (see above). Ask the administrator; on Debian or Ubuntu: apt-get install \
$debian_clang, or name one in CAPALLOC_CLANG"
}

# Lowers a limit in the fuzzed copy that otherwise only large networks would reach.
lower() { # file, old, new
  grep -Fq -- "$2" "$work/fuzzed/src/$1" || die "src/$1 no longer has '$2': see tools/fuzz.sh"
  sed "s/$2/$3/" "$work/fuzzed/src/$1" > "$work/lowered"
  mv "$work/lowered" "$work/fuzzed/src/$1"
}

build_fuzzer() {
  mkdir "$work/fuzzed" "$work/objects"
  cp -R "$top/src" "$top/fuzz" "$work/fuzzed/"
  chmod -R u+w "$work/fuzzed"
  lower bounds.h "CA_WINDOW_VALUES = 1 << 20" "CA_WINDOW_VALUES = 1 << 9"
  lower bounds.h "CA_MOST_RUNS = 256" "CA_MOST_RUNS = 12"
  for file in "$work"/fuzzed/src/*.c "$work"/fuzzed/fuzz/*.c; do
    name=${file##*/}
    # Coverage is measured in the core and in describe.c. Tracing of comparisons is off, for speed.
    coverage="-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp"
    case $name in
      ffi-*.c | init.c | threads.c) continue ;;
      blas.c | fuzz-core.c | memory.c | stages.c | stand-ins.c) coverage="" ;;
    esac
    # shellcheck disable=SC2046,SC2086 # several words
    "$clang" -std=c11 -g -O2 -fno-omit-frame-pointer -fopenmp-simd -Wno-pass-failed $sanitizers $coverage \
      $(R CMD config --cppflags) -c "$file" -o "$work/objects/${name%.c}.o"
  done
  wrapped=""
  for routine in dgemm dsyrk dtrsm dgeqrf dgesdd; do wrapped="$wrapped -Wl,--wrap=${routine}_"; done
  # shellcheck disable=SC2046,SC2086
  "$clang" -fsanitize=fuzzer $sanitizers $wrapped "$work"/objects/*.o -o "$work/fuzz-core" \
    $(R CMD config LAPACK_LIBS) $(R CMD config BLAS_LIBS) -lm
}

corpus() { CAPALLOC_SOURCE=$top Rscript --vanilla "$top/fuzz/corpus.R" "$@"; }

fuzz() { # options, files or folders ...
  "$work/fuzz-core" -timeout=60 -rss_limit_mb=3000 -use_cmp=0 -use_memmem=0 -artifact_prefix="$work/finding-" "$@" \
    > "$work/log" 2>&1 < /dev/null
}

# Prints the finding, and its input as a line for fuzz/regressions.txt.
report() { # what failed
  grep -v -e '^INFO' -e ' NEW ' -e ' REDUCE ' "$work/log" | head -n 60 >&2
  mkdir "$work/found"
  for file in "$work"/finding-*; do [ ! -e "$file" ] || cp "$file" "$work/found/"; done
  corpus pack "$work/found" "$work/found.txt"
  say "The input, for fuzz/regressions.txt:"
  cat "$work/found.txt"
  die "$1 (see above)"
}

set_up test
install_capalloc
need_clang
quietly "Building the fuzzer with $clang" build_fuzzer

# One BLAS thread. Leak detection is off: fuzz/memory.c frees the arena after each input, as R does after each call.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64 UBSAN_OPTIONS=print_stacktrace=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS ASAN_OPTIONS UBSAN_OPTIONS

mkdir "$work/corpus" "$work/regressions" "$work/new"
corpus seeds "$work/corpus"
corpus unpack "$top/fuzz/corpus.txt" "$work/corpus"
corpus unpack "$top/fuzz/regressions.txt" "$work/regressions"

say "Replaying $(find "$work/regressions" "$work/corpus" -type f | wc -l) inputs ..."
fuzz -runs=0 "$work/new" "$work/regressions" "$work/corpus" || report "a replayed input failed"

say "Fuzzing for $seconds s ..."
fuzz -max_total_time="$seconds" -max_len=1024 -print_final_stats=1 "$work/new" "$work/corpus" "$work/regressions" ||
  report "the fuzzer found an error"
executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$work/log" | tail -n 1)
kept=$(sed -n 's/^stat::new_units_added: *//p' "$work/log")

if [ "${2:-}" = keep ]; then
  mkdir "$work/least"
  fuzz -merge=1 -use_counters=0 "$work/least" "$work/new" "$work/corpus" || report "merging the corpus failed"
  corpus pack "$work/least" "$top/fuzz/corpus.txt"
  say "fuzz/corpus.txt has $(wc -l < "$top/fuzz/corpus.txt") inputs, $(wc -c < "$top/fuzz/corpus.txt") bytes"
fi
say "No finding in $executed executions; $edges edges covered, $kept inputs were new"
