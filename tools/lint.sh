#!/bin/sh
# Checks the structure and the style of the source: families of files and circles (tools/lint.R), clang-format.
# Call: sh tools/lint.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

have R || die "R is not installed (sh tools/setup.sh test)"
bad=""

say "Checking the structure of the R code ..."
(cd "$top" && Rscript --vanilla tools/lint.R) || bad="$bad lint.R"

# The layout depends on the version of clang-format: Debian 12's is the one that counts.
if have clang-format && clang-format --version | grep -q 'version 14\.'; then
  say "Checking the layout of the C code ..."
  clang-format --dry-run --Werror "$top"/src/*.c "$top"/src/*.h "$top"/fuzz/*.c "$top"/fuzz/*.h || bad="$bad clang-format"
else
  say "Skipped: the layout of the C code (needs clang-format 14)"
fi

[ -z "$bad" ] || die "findings, above, of:$bad"
say "No findings"
