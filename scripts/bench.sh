#!/usr/bin/env bash
# Runs every benchmark of the module, and the programs in bench/ which measure
# the whole. What they print is kept in build/bench.
#
#   scripts/bench.sh               everything
#   BENCH=Append scripts/bench.sh  only Go benchmarks of that name
#   COUNT=5 scripts/bench.sh       repeat, to see the spread
#   BENCHTIME=10ms scripts/bench.sh  a quick look; default 1s each
#
# The programs drive bin/fieldferry ("make bench" builds it).
set -euo pipefail
cd "$(dirname "$0")/.."

out=build/bench
mkdir -p "$out"
{
  printf 'commit: %s\n' "$(git describe --always --dirty 2>/dev/null || echo unknown)"
  printf 'machine: %s, %s cores, %s\n' "$(uname -srm)" "$(nproc)" "$(go env GOVERSION)"
} | tee "$out/machine.txt"

mapfile -t packages < <(grep -rl --include='*_test.go' --exclude-dir={node_modules,testdata,build} '^func Benchmark' . | xargs -r -n 1 dirname | sort -u)
[ ${#packages[@]} -gt 0 ] || { echo "bench: there is no benchmark" >&2; exit 1; }
go test -run '^$' -bench "${BENCH:-.}" -benchmem -benchtime "${BENCHTIME:-1s}" -count "${COUNT:-1}" "${packages[@]}" | tee "$out/go.txt"

[ -z "${BENCH:-}" ] && [ -d bench ] || exit 0
for program in $(go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./bench/...); do
  printf '\n=== %s\n' "$program"
  go run "$program" | tee "$out/${program##*/}.txt"
done
