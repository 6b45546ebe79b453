#!/bin/sh
# Follows the recipe of a layer (CONTRIBUTING.md) in a copy of the package with the toy layer of tools/layer-toy.R, and
# checks that the layer works: the recipe's list of files is enough, and no C file is on it.
# Call: sh tools/check-recipe.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

set_up test
copy_sources
mkdir "$work/library"

# The recipe: one R file, and the lines that roxygen2 writes to NAMESPACE.
cp "$top/tools/layer-toy.R" "$work/capalloc/R/layer-toy.R"
cat >> "$work/capalloc/NAMESPACE" << 'LINES'
S3method(describe_layer,ca_layer_toy)
S3method(lower_layer,ca_layer_toy)
export(layer_toy)
LINES

quietly "Building a copy of capalloc with one more layer" \
  R CMD INSTALL --no-docs --library="$work/library" "$work/capalloc"
R_LIBS="$work/library${R_LIBS:+:$R_LIBS}" Rscript "$top/tools/check-recipe.R" || die "the toy layer fails, above"
say "The recipe of a layer holds"
