#!/usr/bin/env bash
# Boots a clean Debian with systemd in a container and lets the packaged
# service live there: installed, started in its sandbox, reloaded, killed in an
# outage of a real broker, frozen until the watchdog notices, upgraded, removed
# and purged.
#
# Wants the package of this version in dist/, root, and a machine whose control
# groups can be used.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'check-boot: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || die "booting a container needs root; run:
  sudo make check-boot"

version=$(scripts/version.sh)
host=$(dpkg --print-architecture)
package=dist/fieldferry_$version-0fieldferry1_$host.deb
[ -f "$package" ] || die "run \"make check-package\" first"
image=$(packaging/image.sh broker mosquitto mosquitto-clients)

work=$(mktemp -d build/package/boot.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
tar -C "$work" -xf "$image"
DEB_VERSION=$version.next DEB_OUT=$work packaging/package.sh "$host" >/dev/null
mv "$work/fieldferry_$version.next-0fieldferry1_$host.deb" "$work/next.deb"
cp "$package" "$work/this.deb"
cp packaging/check-booted.sh "$work/check-booted.sh"
cat >"$work/etc/systemd/system/check-booted.service" <<UNIT
[Unit]
After=basic.target dbus.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/check-booted.sh
StandardOutput=file:/result
StandardError=file:/result
TimeoutStartSec=300
UNIT
mkdir -p "$work/etc/systemd/system/multi-user.target.wants"
ln -s ../check-booted.service "$work/etc/systemd/system/multi-user.target.wants/check-booted.service"
rm -f "$work/usr/sbin/policy-rc.d"

timeout --kill-after 10 360 systemd-nspawn --quiet --boot --directory "$work" --machine "fieldferry-check-$$" \
  --register=no --keep-unit --private-network --hostname hall-3 --console=pipe </dev/null >"build/package/boot.log" 2>&1 ||
  echo "check-boot: systemd-nspawn ended with $?" >&2
cat "$work/result" 2>/dev/null || { tail -n 20 build/package/boot.log >&2; die "the container did not boot (build/package/boot.log)"; }
[ "$(tail -n 1 "$work/result")" = passed ] || die "did not pass"
