#!/usr/bin/env bash
# The long runs: what a short test cannot show, because it needs many
# repetitions or much time. Ends with 1 when any of them failed.
#
#   FUZZTIME=60s ROUNDS=20 STATES=10000000 KILLS=200 CUTS=50 scripts/proof.sh
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

rounds=${ROUNDS:-20}
failed=()
run() {
  printf '\n=== %s\n' "$1"
  shift
  "$@" || failed+=("$*")
}

# Everything, several times in random order: a test that leans on another, or
# that loses a race once in a while, shows here.
run "all tests, shuffled, 3 times" go test -race -shuffle on -count 3 -timeout 60m ./...
# Outages, kills and power cuts with real peers, again and again.
run "outages and kills, $rounds times" env MATCH='Outage|Kill|Restart|Refused|Reconnect' \
  scripts/gotest.sh peer -count "$rounds" -timeout 120m
# The buffer: power cuts, kills and failures at every operation of many workloads.
# With -v these tests say how many there were.
run "crash states of the buffer" env CRASH_STATES="${STATES:-10000000}" \
  go test -v -timeout 240m -run 'CrashStates' ./buffer
run "kills and failures at every operation, $rounds workloads" env CRASH_SEEDS="$rounds" \
  go test -v -timeout 240m -run 'KillAtEveryOperation|EveryOperationFails' ./buffer
run "kill -9 of a process that appends" env KILLS="${KILLS:-200}" \
  go test -v -timeout 60m -run 'KillNine' ./buffer
run "power cuts of a real kernel" make --no-print-directory proof-powercut CUTS="${CUTS:-50}"
run "the buffer against its model" go test -timeout 60m -run 'Model' ./buffer -rapid.checks 5000
if grep -rqE --include='*_test.go' --exclude-dir={node_modules,testdata,build} '^//go:build .*\bproof\b' .; then
  run "tests tagged proof" scripts/gotest.sh proof -timeout 240m -v
fi
run "the packaged service in a booted Debian" make --no-print-directory check-boot
run "fuzzing" env FUZZTIME="${FUZZTIME:-60s}" scripts/fuzz.sh

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nproof: FAILED:\n'
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
printf '\nproof: all passed\n'
