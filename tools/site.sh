#!/bin/sh
# Builds the package's site: home, reference with its examples run, articles, news. Nothing is fetched to build it.
# Call: sh tools/site.sh [FOLDER], by default ./capalloc-site/; open index.html in it

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -le 1 ] || die "call: sh tools/site.sh [FOLDER]"
site=${1:-capalloc-site}
[ ! -e "$site" ] || [ -f "$site/pkgdown.yml" ] || die "$site exists and is not a site of pkgdown: choose another folder"
set_up site
install_capalloc

# pkgdown writes into its source folder, so it gets a copy.
mkdir "$work/checkout" "$work/site"
(cd "$top" && tar -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='./capalloc-*' .) |
  (cd "$work/checkout" && tar -xf -)
chmod -R u+w "$work/checkout"
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
quietly "Building the site, which takes minutes" Rscript -e '
  options(pkgdown.internet = FALSE, warn = 1)
  folders <- commandArgs(TRUE)
  pkg <- pkgdown::as_pkgdown(folders[1], override = list(destination = folders[2]))
  pkgdown::check_pkgdown(pkg) # every topic has a place
  pkgdown::build_site(pkg, install = FALSE, preview = FALSE, new_process = FALSE)
' "$work/checkout" "$work/site"

rm -rf "$site"
mkdir -p "$(dirname "$site")"
mv "$work/site" "$site"
say "The site is in $site"
