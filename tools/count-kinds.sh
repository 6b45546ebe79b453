#!/bin/sh
# Counts the lines that ask for the kind of an operation outside its own file, and fails above a limit. What one
# operation is asked for belongs to its row of the table: struct ca_op_row in src/op.h, operation_table() in R.
# Call: sh tools/count-kinds.sh

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

most_c=3 # src/carry.c (2) and src/ffi-propagate.c (1): from before the table had what they need
most_r=5
# Capacity through layers, to be moved to the table next: these are counted apart, and may not become more.
later='R/(propagate[^/]*|gate[^/]*|cut|decoupling|panels[^/]*|reflected|scaling-measure|variance-study)[.]R'
most_later=16
# Lowering makes operations, and so names them.
lowering='R/(lower|net-graph|layer-[^/]*)[.]R'

kinds='"(input|linear|fixed|bias|add|concat|flatten|phi|product|max)"'
asked="(op|ops\[\[[^]]*\]\]|blocks)[$]kind(\[[^]]*\])? *(==|!=|%in%)"
asked="$asked|switch\(op[$]kind|kinds? *(==|!=|%in%) *(c\()?$kinds|op[$]kind *== *kind"

# Vectors are a kind of input, "linear" is an activation and a layer, too: what is asked of those does not count.
of_others='input[$]kind|layer[$]kind|activation %in%|task[$]kind'

cd "$top" || exit 1
in_c=$(grep -n 'CA_OP_' src/*.c | grep -vE '^src/op(-[^/]*)?[.]c:' || :)
all_r=$(grep -nE "$asked" R/*.R | grep -vE "$of_others" | grep -vE "^$lowering:" || :)
in_r=$(printf '%s\n' "$all_r" | grep -vE "^$later:" || :)
in_later=$(printf '%s\n' "$all_r" | grep -E "^$later:" || :)

bad=""
check() { # what, lines, limit
  count=$(printf '%s' "$2" | grep -c '' || :)
  say "$1: $count lines ask for the kind of an operation (at most $3)"
  [ -z "$2" ] || printf '%s\n' "$2" | sed 's/^/  /'
  [ "$count" -le "$3" ] || bad="$bad, $1"
}
check "C outside src/op*.c" "$in_c" "$most_c"
check "R outside lowering" "$in_r" "$most_r"
check "R of capacity through layers" "$in_later" "$most_later"
[ -z "$bad" ] || die "more than the limit:${bad#,}"
