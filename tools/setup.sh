#!/bin/sh
# Installs R and the packages of a profile if they are missing, and capalloc in a private library.
# Call: sh tools/setup.sh demo|test|check|bench|site|coverage, or source it and call set_up PROFILE, then
# install_capalloc.
#
# Profiles: demo (Imports and ggplot2), test (also Suggests), check (also qpdf and pandoc, for R CMD check), site (also
# pkgdown), coverage (also covr), bench (Imports, future, nnet, and on Debian the software that it compares with).
# As root on Debian or Ubuntu binary packages are installed by apt-get. Elsewhere R must be installed, and packages are
# installed from CRAN into the user's library. CAPALLOC_CACHE is the folder of the private libraries.

set -eu

demo_suggests="ggplot2"
# For the report; only as binary packages, since compiling them takes minutes.
report_suggests="knitr rmarkdown"
least_suggests="testthat withr"
bench_suggests="future nnet"
site_suggests="pkgdown"
coverage_suggests="covr"
# Software that the benchmarks compare with. Without it they skip these comparisons with a message.
bench_peers="libopenblas0-pthread python3-torch python3-numpy time"
check_programs="qpdf pandoc"
# Without pandoc reports cannot be written, and their tests are skipped.
report_programs="pandoc"
# gfortran is needed since R links packages that use LAPACK with -lgfortran.
toolchain="gcc gfortran libc6-dev make libblas-dev liblapack-dev"
# Also the libraries that packages from CRAN need to compile.
cran_toolchain="$toolchain g++ libpng-dev libuv1-dev libxml2-dev libgmp-dev libmpfr-dev"
count_line="[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped"

top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
fresh=""
trap 'rm -rf "$work" ${fresh:+"$fresh"}' EXIT
trap 'exit 130' INT TERM HUP

# Messages of R and output of tests are in UTF-8 on every machine.
case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
  *[Uu][Tt][Ff]*8) ;;
  *) LC_ALL=C.UTF-8; export LC_ALL ;;
esac

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" > /dev/null 2>&1; }

# Prints what is done and runs the command; its output is shown only if it fails.
quietly() { # what, command ...
  what=$1
  shift
  say "$what ..."
  "$@" > "$work/log" 2>&1 < /dev/null || failed "$what"
}

failed() { # what
  tail -n 40 "$work/log" >&2
  die "failed: $1 (the end of its output is above)"
}

# ---- dependencies in DESCRIPTION -------------------------------------------------------------------------

dependencies() { # field -> lines "name version", with version 0.0 if DESCRIPTION has none
  awk -v field="$1:" '
    /^[^ \t]/ { on = index($0, field) == 1; sub(/^[^:]*:/, "") }
    on { text = text " " $0 }
    END {
      n = split(text, entry, ",")
      for (i = 1; i <= n; i++) {
        gsub(/[ \t()>=]+/, " ", entry[i])
        if (split(entry[i], word, " ")) print word[1], (word[2] == "" ? "0.0" : word[2])
      }
    }' "$top/DESCRIPTION"
}

packages() { # profile, or least for the packages that every test needs -> lines "name version"; the first is R
  dependencies Depends
  dependencies Imports
  # shellcheck disable=SC2086 # several words
  case $1 in
    demo) suggested $demo_suggests; ! can_apt || suggested $report_suggests ;;
    least) suggested $least_suggests ;;
    bench) suggested $bench_suggests ;;
    site) dependencies Suggests; suggested $site_suggests ;;
    coverage) dependencies Suggests; suggested $coverage_suggests ;;
    *) dependencies Suggests ;;
  esac
}

suggested() { # names -> lines "name version"
  for name in "$@"; do dependencies Suggests | grep "^$name " || say "$name 0.0"; done
}

programs() { # profile
  case $1 in
    check) say "$check_programs" ;;
    bench) ;;
    *) say "$report_programs" ;;
  esac
}

debian_names() { # names of R packages -> names of Debian packages, on one line
  for name in "$@"; do printf 'r-cran-%s ' "$name"; done | tr '[:upper:]' '[:lower:]'
}

# ---- Debian ----------------------------------------------------------------------------------------------

can_apt() { [ "$(id -u)" = 0 ] && have apt-get; }

# An R that was not installed by apt-get does not find R packages of Debian.
can_apt_packages() { can_apt && [ "$(R RHOME)" = /usr/lib/R ]; }

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"; }
apt_add() { apt_get install --no-install-recommends "$@"; }

apt_known() { # names -> those that apt-get can install
  for name in "$@"; do
    [ -z "$(apt-cache show "$name" 2> /dev/null)" ] || printf '%s ' "$name"
  done
}

apt_install() { # names; those that apt-get cannot install are left for CRAN
  apt_add -s "$@" > /dev/null 2>&1 || {
    quietly "Updating the list of Debian's packages" apt_get update
    # shellcheck disable=SC2046 # one word per name
    apt_add -s "$@" > /dev/null 2>&1 || set -- $(apt_known "$@")
  }
  [ $# -gt 0 ] || return 0
  say "Installing Debian's packages: $* ..."
  apt_add "$@" > "$work/log" 2>&1 < /dev/null && return 0
  # An outdated list has versions that can no longer be downloaded.
  quietly "Updating the list of Debian's packages" apt_get update
  quietly "Installing them again" apt_add "$@"
}

# ---- R and its packages ----------------------------------------------------------------------------------

need_r() { # profile
  have Rscript && return 0
  # shellcheck disable=SC2046 # one word per name
  debian="r-base-core $toolchain $(debian_names $(packages "$1" | sed -e '/^R /d' -e 's/ .*//')) $(programs "$1")"
  can_apt || die "R is not installed. Ask the administrator for R 4.2 or newer and a C compiler; on Debian or \
Ubuntu: apt-get install $debian (or run this as root there, which does it)"
  # shellcheck disable=SC2086 # one word per name
  apt_install $debian
  have Rscript || die "R is still missing after apt-get install r-base-core"
}

missing_packages() { # profile -> names of packages that are missing or too old, with R if R is too old
  # shellcheck disable=SC2016,SC2046 # R's $; names and versions are words
  Rscript -e '
    asked <- matrix(commandArgs(TRUE), nrow = 2)
    found <- function(name) {
      if (name == "R") return(getRversion())
      if (nzchar(system.file(package = name))) packageVersion(name) else package_version("0.0")
    }
    lacks <- function(name, version) found(name) < version || found(name) == "0.0"
    cat(sprintf("missing %s\n", asked[1, mapply(lacks, asked[1, ], asked[2, ])]), sep = "")
  ' $(packages "$1") > "$work/missing"
  sed -n 's/^missing //p' "$work/missing"
}

from_cran() { # names
  need_compilers "c cpp" "$cran_toolchain"
  say "Installing from CRAN into your own R library: $* (compiling takes minutes) ..."
  # shellcheck disable=SC2016 # R's $
  Rscript -e '
    lib <- strsplit(Sys.getenv("R_LIBS_USER"), .Platform$path.sep, fixed = TRUE)[[1]][1]
    if (is.na(lib) || lib == "NULL") stop("R has no user library: set R_LIBS_USER to a writable folder")
    dir.create(lib, recursive = TRUE, showWarnings = FALSE)
    if (file.access(lib, 2) != 0) stop("cannot write to ", lib, ": set R_LIBS_USER to a writable folder")
    .libPaths(c(lib, .libPaths()))
    if ("@CRAN@" %in% getOption("repos")) chooseCRANmirror(graphics = FALSE, ind = 1, local.only = TRUE)
    install.packages(commandArgs(TRUE), lib = lib, Ncpus = 2L)
  ' "$@" > "$work/log" 2>&1 < /dev/null || failed "Installing from CRAN"
}

need_packages() { # profile
  missing=$(missing_packages "$1")
  [ -n "$missing" ] || return 0
  ! say "$missing" | grep -qx R ||
    die "R is too old: $(Rscript --version 2>&1), and DESCRIPTION requires $(dependencies Depends | sed -n 's/^R //p') or newer"
  if can_apt_packages; then
    # shellcheck disable=SC2046,SC2086 # one word per name
    apt_install $(debian_names $missing)
    missing=$(missing_packages "$1")
  fi
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # one word per name
  from_cran $missing
  # shellcheck disable=SC2005,SC2046 # on one line
  missing=$(echo $(missing_packages "$1"))
  [ -n "$missing" ] || return 0
  if [ "$1" = test ] && [ -z "$(missing_packages least)" ]; then
    say "Could not install $missing: the tests that need them are skipped"
  else
    failed "Installing from CRAN: $missing could not be installed. If libraries are missing, ask the administrator; on Debian or \
Ubuntu: apt-get install $cran_toolchain"
  fi
}

need_programs() { # profile
  missing=""
  for name in $(programs "$1"); do have "$name" || missing="$missing $name"; done
  [ -n "$missing" ] || return 0
  if [ "$1" != check ] && [ "$1" != site ] && ! can_apt; then
    say "Not installed:$missing: reports cannot be written (on Debian or Ubuntu: apt-get install$missing)"
    return 0
  fi
  can_apt || die "not installed:$missing. Ask the administrator; on Debian or Ubuntu: apt-get install$missing"
  # shellcheck disable=SC2086
  apt_install $missing
}

installed() { # name of a Debian package
  [ "$(dpkg-query -W -f='${Status}' "$1" 2> /dev/null)" = "install ok installed" ]
}

need_peers() {
  missing=""
  if can_apt; then for name in $bench_peers; do installed "$name" || missing="$missing $name"; done; fi
  # In a subshell, so that a failure does not end the script: these packages are optional.
  # shellcheck disable=SC2086 # one word per name
  [ -z "$missing" ] || (apt_install $missing) || :
  Rscript -e 'quit(status = !any(grepl("openblas|mkl|accelerate", c(La_library(), extSoftVersion()[["BLAS"]]), TRUE)))' ||
    say "R uses a slow BLAS: times are several times longer (on Debian or Ubuntu: apt-get install libopenblas0-pthread)"
  has_torch || say "PyTorch is not installed: comparisons with it are skipped (on Debian or Ubuntu: apt-get install python3-torch \
python3-numpy; elsewhere: set CAPALLOC_PYTHON to a Python with it)"
  [ -x /usr/bin/time ] || say "/usr/bin/time is not installed: memory is read from /proc (on Debian or Ubuntu: apt-get install time)"
}

has_torch() {
  for python in ${CAPALLOC_PYTHON:-} python3 /usr/bin/python3; do
    "$python" -c 'import torch, numpy' > /dev/null 2>&1 && return 0
  done
  return 1
}

set_up() { # profile
  case $1 in demo | test | check | bench | site | coverage) ;;
    *) die "the profile is demo, test, check, bench, site or coverage, not '$1'" ;; esac
  need_r "$1"
  need_packages "$1"
  need_programs "$1"
  [ "$1" != bench ] || need_peers
}

# ---- capalloc --------------------------------------------------------------------------------------------

# Tests the toolchain: compiles and links a file of each language as R does for the package.
compiles() { # c, cpp
  rm -rf "$work/probe"
  mkdir "$work/probe"
  # shellcheck disable=SC2016 # make's variables
  printf 'PKG_LIBS = $(LAPACK_LIBS) $(BLAS_LIBS) $(FLIBS)\n' > "$work/probe/Makevars"
  for language in "$@"; do printf '#include <stdlib.h>\n' > "$work/probe/probe_$language.$language"; done
  (cd "$work/probe" && R CMD SHLIB -o probe.so probe_*) > "$work/log" 2>&1 < /dev/null
}

need_compilers() { # languages, Debian packages of their compilers
  # shellcheck disable=SC2086 # several words
  compiles $1 && return 0
  # shellcheck disable=SC2086
  ! can_apt || { apt_install $2; compiles $1 && return 0; }
  tail -n 20 "$work/log" >&2
  die "R cannot compile (see above). Ask the administrator for compilers; on Debian or Ubuntu: apt-get install $2"
}

cache_folder() {
  folder=${CAPALLOC_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/capalloc}
  # Without a writable folder the library is temporary.
  mkdir -p "$folder" 2> /dev/null && [ -w "$folder" ] || folder=$work/cache
  mkdir -p "$folder"
  say "$folder"
}

# Prints the files from which the package is installed, without object files. Some of the folders need not exist.
sources() {
  cd "$top"
  { find DESCRIPTION NAMESPACE LICENSE R src inst man data -type f \
    ! -name '*.o' ! -name '*.so' ! -name '.*' 2> /dev/null || :; } | LC_ALL=C sort
}

fingerprint() { # of the sources, R, the compiler flags and all arguments
  { (sources) | (cd "$top" && xargs cksum); R RHOME; R --version | sed 1q; cat "${R_MAKEVARS_USER:-/dev/null}"; say "$*"; } | cksum | tr ' ' '-'
}

# Sets lib to the library of capalloc and puts it first in R_LIBS. Each state of the sources has its own library, so
# that an unchanged package is not built again and two checkouts do not interfere.
# shellcheck disable=SC2120
install_capalloc() { # [kind, options of R CMD INSTALL ...]; each kind of build has its own library
  kind=${1:-plain}
  [ $# -eq 0 ] || shift
  cache=$(cache_folder)
  lib=$cache/$kind-$(fingerprint "$@")
  [ -d "$lib/capalloc" ] || build_capalloc "$@"
  touch "$lib"
  R_LIBS=$lib${R_LIBS:+:$R_LIBS}
  export R_LIBS
}

build_capalloc() { # options of R CMD INSTALL ...
  need_compilers c "$toolchain"
  copy_sources
  fresh=$(mktemp -d "$cache/new.XXXXXX")
  quietly "Building and installing capalloc ($kind) into $lib" \
    R CMD INSTALL --library="$fresh" "$@" "$work/capalloc"
  chmod 755 "$fresh"
  [ -d "$lib/capalloc" ] || { rm -rf "$lib"; mv "$fresh" "$lib"; }
  # Remove libraries that have not been used for a week.
  for old in "$cache/$kind"-[0-9]*-[0-9]*; do
    [ -z "$(find "$old" -prune -mtime +7)" ] || rm -rf "$old"
  done
}

copy_sources() {
  mkdir "$work/capalloc"
  (sources) | (cd "$top" && xargs tar -cf -) | (cd "$work/capalloc" && tar -xf -)
  chmod -R u+w "$work/capalloc"
}

# Runs the tests on a copy, so that they write nothing to the checkout. The last line is the count, also if R crashed,
# which counts as one failure.
run_tests() { # [filter]
  cp -R "$top/tests" "$work/"
  chmod -R u+w "$work/tests"
  NOT_CRAN=true
  CAPALLOC_SOURCE=$top
  export NOT_CRAN CAPALLOC_SOURCE
  {
    status=0
    (cd "$work" && Rscript "$top/tools/run-tests.R" tests/testthat "$@") < /dev/null 2>&1 || status=$?
    say "$status" > "$work/status"
  } | tee "$work/tests.log"
  read -r status < "$work/status"
  tail -n 1 "$work/tests.log" | grep -Eqx "$count_line" ||
    { status=1; say "R stopped before the tests ended"; say "0 passed, 1 failed, 0 skipped"; }
  return "$status"
}

case $0 in
  setup.sh | */setup.sh)
    [ $# -eq 1 ] || die "call: sh tools/setup.sh demo|test|check|bench|site|coverage"
    set_up "$1"
    install_capalloc
    say "capalloc is ready in $lib"
    ;;
esac
