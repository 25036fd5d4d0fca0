#!/usr/bin/env bash
# Prints the path of a clean Debian, the release of this machine, as a tar
# file. It is made when there is none, or when it is older than 30 days.
#
#   packaging/image.sh NAME [PACKAGE...]   with those packages beside systemd
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fieldferry
# shellcheck source=/dev/null
suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
image=$cache/$suite-$(dpkg --print-architecture)-$name.tar

# The machine's own package sources, in apt's one-line form.
sources() {
  apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages' |
    awk -F '|' '$4 == "Debian" { print "deb", $1, $2, $3 }' | sort -u
}

if [ -z "$(find "$image" -mtime -30 2>/dev/null)" ]; then
  list=$(sources)
  [ -n "$list" ] || { apt-get update >/dev/null && list=$(sources); }
  [ -n "$list" ] || { echo "image: apt knows no Debian package source on this machine" >&2; exit 1; }
  mkdir -p "$cache"
  # Made beside its place and moved there whole; one that was cut off is swept
  # up after a day.
  find "$cache" -name '*.part.tar' -mmin +1440 -delete
  part=$image.$$.part.tar
  trap 'rm -f "$part"' EXIT
  include=systemd
  for package; do include+=,$package; done
  mmdebstrap --quiet --variant=minbase --include="$include" "$suite" "$part" - <<<"$list" >&2
  mv "$part" "$image"
fi
printf '%s\n' "$image"
