#!/usr/bin/env bash
# Fuzzes every Fuzz function of the module, one after the other.
#
#   FUZZTIME=20s scripts/fuzz.sh [PACKAGE...]
#
# An input that breaks something is written to the package's testdata/fuzz,
# where every later test run tries it again: commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${FUZZTIME:-20s}
[ $# -gt 0 ] || set -- ./...

# "go test -list" prints the names of a package, then its result line.
mapfile -t targets < <(go test -list '^Fuzz' "$@" |
  awk '/^Fuzz/ { names[++n] = $1; next } /^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: there is no Fuzz function" >&2; exit 1; }

printf 'fuzz: %d functions, %s each\n' ${#targets[@]} "$time"
broken=()
for target in "${targets[@]}"; do
  read -r pkg name <<<"$target"
  printf '\n=== %s %s\n' "$pkg" "$name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1s "$pkg" || broken+=("$pkg.$name")
done

if [ ${#broken[@]} -gt 0 ]; then
  printf '\nfuzz: broken: %s\n' "${broken[*]}"
  exit 1
fi
