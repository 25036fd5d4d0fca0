#!/usr/bin/env bash
# Runs make targets one after the other and prints what each took.
#
#   scripts/stages.sh TARGET...
#
# Every stage runs, also after one that failed, so that one run shows all
# faults; only when the first one (what is needed at all) fails, nothing else
# can succeed. Ends with 1 when any stage failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

first=$1
failed=()
table=""
total=$SECONDS
for stage; do
  printf '\n=== %s\n' "$stage"
  began=$SECONDS
  if make --no-print-directory "$stage"; then result=ok; else result=FAILED failed+=("$stage"); fi
  table+=$(printf '%-16s %5d s  %s' "$stage" $((SECONDS - began)) "$result")$'\n'
  [ "$stage" != "$first" ] || [ "$result" = ok ] || break
done

printf '\n=== time of each stage\n%s%-16s %5d s\n' "$table" all $((SECONDS - total))
if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[*]}"
  exit 1
fi
