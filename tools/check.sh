#!/bin/sh
# Builds the source package of capalloc and runs R CMD check --as-cran on it. It fails unless the status is OK.
# Call: sh tools/check.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

set_up check
need_compilers c "$toolchain"

# R CMD build copies its folder, so it gets one without .git and without object files.
mkdir "$work/capalloc"
(cd "$top" && tar -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.Rcheck' .) |
  (cd "$work/capalloc" && tar -xf -)
chmod -R u+w "$work/capalloc"
cd "$work"
quietly "Building the source package" R CMD build capalloc

say "Checking $(ls capalloc_*.tar.gz) (R CMD check --as-cran) ..."
# The checks of the clock and of incoming packages need the internet, so they are off.
_R_CHECK_SYSTEM_CLOCK_=0 _R_CHECK_CRAN_INCOMING_=false OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
  TESTTHAT_CPUS=2 R CMD check --as-cran --no-manual capalloc_*.tar.gz > check.out 2>&1 < /dev/null || :

status=$(sed -n 's/^Status: //p' check.out | tail -n 1)
if [ "$status" != OK ]; then
  tail -n 15 check.out
  say "Checks that were not OK:"
  awk '
    function flush() { if (bad) printf "%s", block; block = ""; bad = 0 }
    /^\* / { flush() }
    { block = block $0 "\n"; if (/(NOTE|WARNING|ERROR|FAILED)$/) bad = 1 }
    END { flush() }' capalloc.Rcheck/00check.log
  for file in 00install.out tests/testthat.Rout.fail; do
    grep -lE '^(ERROR|Error)' "capalloc.Rcheck/$file" > /dev/null 2>&1 || continue
    say "The end of $file:"
    tail -n 60 "capalloc.Rcheck/$file"
  done
  die "the check's status is ${status:-missing}, not OK"
fi
say "The check's status is OK"
