#!/usr/bin/env bash
# Checks the packages in dist/ of this version: lintian, the sandbox's score,
# that building again gives the same bytes, that the ARM binaries run, and
# install - run - upgrade - remove - purge in a clean Debian.
#
# Needs root, for the chroot. It starts nothing outside of name spaces of its
# own, and ends with them.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'check-package: %s\n' "$*" >&2; exit 1; }
step() { printf -- '--- %s\n' "$*"; }

[ "$(id -u)" -eq 0 ] || die "installing packages in a chroot needs root; run:
  sudo make check-package"

version=$(scripts/version.sh)
host=$(dpkg --print-architecture)
deb() { printf '%s/fieldferry_%s-0fieldferry1_%s.deb' "${2:-dist}" "$version" "$1"; }
for arch in amd64 arm64 armhf; do
  [ -f "$(deb $arch)" ] || die "$(deb $arch) is missing: run \"make package ARCH=all\""
done

step "lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$(deb amd64)" "$(deb arm64)" "$(deb armhf)"

step "unit"
systemd-analyze verify --man=no --root=/ packaging/deb/fieldferry.service 2>&1 |
  grep -v 'Command /usr/bin/fieldferry is not executable' | grep 'fieldferry.service' && die "systemd does not like the unit"
score=$(systemd-analyze security --offline=true --no-pager packaging/deb/fieldferry.service |
  sed -nE 's/.*Overall exposure level for [^:]+: ([0-9.]+).*/\1/p')
awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 2.0) }' || die "the unit's exposure is \"$score\", limit 2.0"
printf 'exposure %s, limit 2.0\n' "$score"

step "manual pages"
for page in build/package/all/man/*.8; do
  warnings=$(MANWIDTH=80 man --warnings --encoding=utf8 -l "$page" 2>&1 >/dev/null || true)
  [ -z "$warnings" ] || die "$page: $warnings"
done
for command in $("build/package/$host/fieldferry" --help | awk '/^Available Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
  grep -q "^\.B $command\$" packaging/fieldferry.8 || die "packaging/fieldferry.8 does not tell about the command $command"
done

step "the same bytes again"
DEB_OUT=build/package/again packaging/package.sh "$host" >/dev/null
cmp "$(deb "$host")" "$(deb "$host" build/package/again)" || die "building twice gave two packages"

step "ARM binaries"
# The oldest processors that the packages promise to run on.
qemu-arm-static -cpu arm1176 build/package/armhf/fieldferry version
qemu-aarch64-static -cpu cortex-a53 build/package/arm64/fieldferry version

step "clean Debian"
image=$(packaging/image.sh base)

work=$(mktemp -d build/package/chroot.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
tar -C "$work" -xf "$image"
DEB_VERSION=$version.next DEB_OUT=$work packaging/package.sh "$host" >/dev/null
mv "$work/fieldferry_$version.next-0fieldferry1_$host.deb" "$work/next.deb"
cp "$(deb "$host")" "$work/this.deb"
cp packaging/check-inside.sh "$work/check-inside.sh"

step "install, run, upgrade, remove, purge"
# Name spaces of its own: what is mounted or started here ends with it, and its
# loopback interface has every port free.
unshare --mount --pid --net --uts --ipc --fork --kill-child bash -euc '
  hostname Hall-3.plant
  ip link set lo up
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  mount -t tmpfs tmpfs "$0/run"
  exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 bash /check-inside.sh "$1"
' "$work" "$version"
