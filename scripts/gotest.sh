#!/usr/bin/env bash
# Runs only those Go tests that a build tag adds, so that they need not be run
# again together with all the others.
#
#   scripts/gotest.sh peer -race -timeout 10m     tests in files with the tag peer
#   scripts/gotest.sh '!race' -timeout 10m        tests left out under -race
#   MATCH='Outage|Kill' scripts/gotest.sh peer    only those of such a name
#
# Finding none is an error: a stage that tests nothing must not look green.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$1
shift

# files FLAGS...: "package<TAB>directory<TAB>file" of each test file.
files() {
  go list "$@" -f '{{range .TestGoFiles}}{{$.ImportPath}}{{"\t"}}{{$.Dir}}{{"\t"}}{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.ImportPath}}{{"\t"}}{{$.Dir}}{{"\t"}}{{.}}{{"\n"}}{{end}}' ./... |
    sed '/^$/d' | sort
}

if [ "$tag" = '!race' ]; then
  added=$(comm -13 <(files -race) <(files))
  flags=()
else
  added=$(comm -13 <(files) <(files -tags "$tag"))
  flags=(-tags "$tag")
fi
[ -n "$added" ] || { echo "gotest: no test file has the tag $tag" >&2; exit 1; }

# All packages in one run, so that go tests several at once; a test of another
# package that happens to have one of the names runs once more, which is cheap.
mapfile -t packages < <(cut -f 1 <<<"$added" | sort -u)
names=$(awk -F '\t' '{ print $2 "/" $3 }' <<<"$added" |
  xargs -d '\n' sed -nE 's/^func ((Test|Example)[A-Za-z0-9_]*)\(.*/\1/p' |
  grep -v '^TestMain$' | grep -E "${MATCH:-.}" | sort -u | paste -sd '|') ||
  { echo "gotest: no test with the tag $tag has a name like ${MATCH:-any}" >&2; exit 1; }
exec go test ${flags[@]+"${flags[@]}"} "$@" -run "^($names)\$" "${packages[@]}"
