#!/bin/sh
# Installs missing software, compares architectures and shows how they allocate their capacity.
# Call: sh tools/demo.sh, or sh tools/demo.sh FILE.csv COLUMN for a series of your own. Output goes to ./capalloc-demo/

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

case $# in
  0) ;;
  2) { [ -f "$1" ] && [ -r "$1" ]; } || die "no such file: $1" ;;
  *) die "call: sh tools/demo.sh [FILE.csv COLUMN]" ;;
esac
set_up demo
install_capalloc
Rscript "$top/tools/demo.R" "$@"
