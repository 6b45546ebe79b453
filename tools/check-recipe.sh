#!/bin/sh
# Adds the toy layer of tools/layer-toy.R to a copy of the package by the recipe of CONTRIBUTING.md, and checks that the
# layer works. This shows that the files listed by the recipe suffice and that no C file has to change.
# Call: sh tools/check-recipe.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

set_up test
copy_sources
mkdir "$work/library"

# The recipe adds one R file, and the lines that roxygen2 writes to NAMESPACE.
cp "$top/tools/layer-toy.R" "$work/capalloc/R/layer-toy.R"
cat >> "$work/capalloc/NAMESPACE" << 'LINES'
S3method(describe_layer,ca_layer_toy)
S3method(lower_layer,ca_layer_toy)
export(layer_toy)
LINES

quietly "Building a copy of capalloc with the toy layer" \
  R CMD INSTALL --no-docs --library="$work/library" "$work/capalloc"
R_LIBS="$work/library${R_LIBS:+:$R_LIBS}" Rscript "$top/tools/check-recipe.R" || die "the toy layer failed (see above)"
say "The recipe of a layer works"
