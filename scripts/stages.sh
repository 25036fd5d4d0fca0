#!/usr/bin/env bash
# Runs make targets one after the other and prints what each took: by the
# clock, and in seconds of processor time, which other work on the machine does
# not lengthen.
#
#   scripts/stages.sh TARGET...
#
# Every stage runs, also after one that failed, so that one run shows all
# faults; only when "deps" (what is needed at all) fails, nothing else can
# succeed. Ends with 1 when any stage failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# processor: sets cpu to the processor seconds of all that ended so far. "times"
# in a pipe would ask a subshell, which has used none.
mkdir -p build
processor() {
  times >build/times
  cpu=$(awk -F '[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' build/times)
}

failed=()
table=""
row() { printf '%-16s %5d s %6d s  %s' "$@"; }
for stage; do
  printf '\n=== %s\n' "$stage"
  processor
  began=$SECONDS used=$cpu
  if make --no-print-directory "$stage"; then result=ok; else result=FAILED failed+=("$stage"); fi
  processor
  table+=$(row "$stage" $((SECONDS - began)) $((cpu - used)) "$result")$'\n'
  if [ "$stage/$result" = deps/FAILED ]; then break; fi
done

printf '\n=== time of each stage  (clock, processor)\n%s%s\n' "$table" "$(row all $SECONDS "$cpu" '')"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[*]}"
  exit 1
fi
