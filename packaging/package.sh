#!/usr/bin/env bash
# Builds dist/fieldferry_VERSION_ARCH.deb for each Debian architecture named.
#
#   packaging/package.sh amd64 arm64 armhf
#
# The same commit gives the same bytes: every time stamp is that of the commit
# (or SOURCE_DATE_EPOCH). DEB_VERSION, DEB_MAINTAINER and DEB_OUT (the folder,
# dist) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'package: %s\n' "$*" >&2; exit 1; }
make() { command make --no-print-directory "$@"; }

SOURCE_DATE_EPOCH=$(scripts/version.sh --epoch)
DEB_VERSION=${DEB_VERSION:-$(scripts/version.sh)}
DEB_MAINTAINER=${DEB_MAINTAINER:-Fieldferry maintainers <maintainers@fieldferry.example>}
DEB_OUT=${DEB_OUT:-dist}
DEB_MTIME=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
export SOURCE_DATE_EPOCH DEB_VERSION DEB_MAINTAINER DEB_MTIME DEB_ARCH STAGE

# has_ui BINARY: was it built with the page in it?
has_ui() { go version -m "$1" | grep -qE $'\tbuild\t-tags=([a-z,]*,)?ui(,|$)'; }

# squeeze FILE: FILE.gz, without name and time inside.
squeeze() { gzip -9n <"$1" >"$1.gz"; }

# third_party: licences of everything that is linked into the binary or
# bundled into the page.
third_party() {
  printf 'Fieldferry contains the following works of others.\n'
  licence Go "$(go env GOROOT)"
  go list -deps -tags ui -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}|{{.Dir}}{{end}}{{end}}' ./cmd/gateway |
    sort -u | while IFS='|' read -r name dir; do licence "$name" "$dir"; done
  npm --prefix web/ui --loglevel=error ls --all --omit=dev --parseable | tail -n +2 | LC_ALL=C sort -u | while read -r dir; do
    [ ! -d "$dir" ] || licence "${dir##*/node_modules/} (in the page)" "$dir"
  done
}

# licence NAME DIR
licence() {
  local files
  files=$(find "$2" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) | LC_ALL=C sort)
  printf '\n%s\n%s\n\n' "$1" "${1//?/-}"
  if [ -n "$files" ]; then
    tr '\n' '\0' <<<"$files" | xargs -0 cat
  else
    sed -nE 's/^  "license": "(.*)",?$/License: \1/p' "$2/package.json" 2>/dev/null | grep . ||
      die "$1 has no licence in $2"
  fi
}

# manual STAGE BINARY: the main page is written by hand; a page per command
# comes from the binary, so that its options are right.
manual() {
  "$2" man "$1/man"
  rm -f "$1"/man/fieldferry-completion*.8
  sed "s/@VERSION@/$DEB_VERSION/; s/@DATE@/${DEB_MTIME%T*}/" packaging/fieldferry.8 >"$1/man/fieldferry.8"
  local page
  for page in "$1"/man/*.8; do squeeze "$page"; done
}

# common STAGE BINARY: what is the same for all architectures. Manual pages and
# completions come from a binary of this machine.
common() {
  local stage=$1 host=$2
  "$host" completion bash >"$stage/completion.bash"
  "$host" completion zsh >"$stage/completion.zsh"
  manual "$stage" "$host"
  printf 'fieldferry (%s-0fieldferry1) stable; urgency=medium\n\n  * What changed for users is in changelog.gz beside this file.\n\n -- %s  %s\n' \
    "$DEB_VERSION" "$DEB_MAINTAINER" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$stage/changelog.Debian"
  cp CHANGELOG.md "$stage/changelog"
  third_party >"$stage/third-party.txt"
  local f
  for f in changelog.Debian changelog third-party.txt; do squeeze "$stage/$f"; done
}

[ $# -gt 0 ] || die "name an architecture: amd64, arm64, armhf"
host=$(dpkg --print-architecture)
make "binary-$host"
shared=build/package/all
rm -rf "$shared"
mkdir -p "$shared" "$DEB_OUT"
common "$shared" "build/package/$host/fieldferry"

for DEB_ARCH; do
  case $DEB_ARCH in amd64 | arm64 | armhf) ;; *) die "unknown architecture $DEB_ARCH: amd64, arm64 or armhf" ;; esac
  STAGE=build/package/$DEB_ARCH
  [ "$DEB_ARCH" = "$host" ] || make "binary-$DEB_ARCH"
  has_ui "$STAGE/fieldferry" || die "$STAGE/fieldferry has no page in it (build tag ui)"
  cp -r "$shared"/* "$STAGE/"
  go tool -modfile=tools/go.mod nfpm package --config packaging/nfpm.yaml --packager deb --target "$DEB_OUT/fieldferry_${DEB_VERSION}-0fieldferry1_$DEB_ARCH.deb"
done
