#!/usr/bin/env bash
# Prints the version of this checkout in a form that dpkg orders rightly:
# 0.2.0 at the tag v0.2.0; 0.2.0+12.g1a2b3c4 twelve commits later;
# 0.0.0+31.g1a2b3c4 where there is no tag; .dirty appended for local changes.
#
#   scripts/version.sh            the version
#   scripts/version.sh --epoch    when its commit was made (SOURCE_DATE_EPOCH)
set -euo pipefail
cd "$(dirname "$0")/.."

inside=no
[ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] && inside=yes

if [ "${1:-}" = --epoch ]; then
  if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then echo "$SOURCE_DATE_EPOCH"
  elif [ $inside = yes ]; then git log -1 --format=%ct
  else date -r CHANGELOG.md +%s; fi
  exit
fi

if [ $inside = no ]; then
  echo 0.0.0+unpacked
elif described=$(git describe --tags --match 'v[0-9]*' --dirty=.dirty 2>/dev/null); then
  # v0.2.0-12-g1a2b3c4.dirty
  sed -E 's/^v//; s/-([0-9]+)-g/+\1.g/; s/^([^+]*)\.dirty$/\1+dirty/' <<<"$described"
else
  printf '0.0.0+%s.g%s\n' "$(git rev-list --count HEAD)" "$(git describe --always --dirty=.dirty)"
fi
