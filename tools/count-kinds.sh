#!/bin/sh
# Counts the lines outside the file of an operation that test for its kind, and fails above a limit. Properties of an
# operation belong to its row of the table: struct ca_op_row in src/op.h, operation_table() in R.
# Call: sh tools/count-kinds.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

most_c=0
most_r=0
# Lowering creates operations, so it names them.
lowering='R/(lower|net-lower|layer-[^/]*)[.]R'

kinds='"(input|linear|fixed|bias|add|concat|flatten|phi|product|max)"'
asked="(op|ops\[\[[^]]*\]\]|blocks)[$]kind(\[[^]]*\])? *(==|!=|%in%)"
asked="$asked|switch\(op[$]kind|kinds? *(==|!=|%in%) *(c\()?$kinds|op[$]kind *== *kind"

# "vector" is also a kind of input and "linear" also an activation and a layer: tests of those do not count.
of_others='input[$]kind|layer[$]kind|activation %in%|task[$]kind'

cd "$top" || exit 1
in_c=$(grep -n 'CA_OP_' src/*.c | grep -vE '^src/op(-[^/]*)?[.]c:' || :)
in_r=$(grep -nE "$asked" R/*.R | grep -vE "$of_others" | grep -vE "^$lowering:" || :)

bad=""
check() { # what, lines, limit
  count=$(printf '%s' "$2" | grep -c '' || :)
  say "$1: $count lines test for the kind of an operation (at most $3)"
  [ -z "$2" ] || printf '%s\n' "$2" | sed 's/^/  /'
  [ "$count" -le "$3" ] || bad="$bad, $1"
}
check "C outside src/op*.c" "$in_c" "$most_c"
check "R outside lowering" "$in_r" "$most_r"
[ -z "$bad" ] || die "more than the limit:${bad#,}"
