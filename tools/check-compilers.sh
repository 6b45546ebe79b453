#!/bin/sh
# Compiles the C core with gcc, and with clang if it is installed, as strict C11 with every warning an error.
# Call: sh tools/check-compilers.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

# -isystem suppresses warnings in R's headers. -O2 enables the warnings that need optimisation. _DEFAULT_SOURCE makes
# the POSIX functions available that strict C11 hides and the core uses.
flags="-std=c11 -D_DEFAULT_SOURCE -O2 -fPIC -fopenmp-simd -Werror"
warnings="-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes"

compilers() { # -> gcc, and the first clang that is installed
  say gcc
  for name in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    ! have "$name" || { say "$name"; return 0; }
  done
}

compile() { # compiler
  status=0
  for file in "$top"/src/*.c; do
    # shellcheck disable=SC2086 # several words
    "$1" $flags $warnings $headers -c "$file" -o "$work/object.o" || status=1
  done
  return $status
}

have R || die "R is not installed: its headers are needed (sh tools/setup.sh test)"
have gcc || need_compilers c "$toolchain"
have gcc || die "gcc is not installed: ask the administrator"
headers=$(R CMD config --cppflags | sed 's/-I/-isystem /g')

dirty=""
for compiler in $(compilers); do
  say "Compiling the C core with $("$compiler" --version | sed 1q) ..."
  compile "$compiler" || dirty="$dirty $compiler"
done
[ -z "$dirty" ] || die "warnings (see above) of:$dirty"
say "No warnings: $warnings"
