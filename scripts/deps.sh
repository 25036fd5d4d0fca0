#!/usr/bin/env bash
# Checks and installs what this repository needs outside of itself.
#
#   scripts/deps.sh build    Go, Node, the page's npm packages
#   scripts/deps.sh package  the same, and what builds and checks the .deb
#   scripts/deps.sh test     everything: the peers, the browser, the linters
#   scripts/deps.sh powercut user-mode Linux, for make proof-powercut alone
#
# Takes well under a second when nothing is missing. As root it installs
# missing Debian packages; otherwise it prints the one line that does, and
# fails. It starts no service and leaves none behind.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

# at_least HAVE WANT: is version HAVE not below WANT?
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

check_go() {
  local want have
  want=$(awk '$1 == "go" { print $2; exit }' go.mod)
  command -v go >/dev/null || die "Go $want or newer is needed and there is none: see https://go.dev/dl/"
  have=$(go env GOVERSION 2>/dev/null) || die "Go $want or newer is needed; 'go env' does not run here: see https://go.dev/dl/"
  have=${have#go}
  at_least "${have%% *}" "$want" || die "Go $want or newer is needed, this is $have: see https://go.dev/dl/"
}

check_node() {
  local want=20.19 have
  { command -v node && command -v npm; } >/dev/null ||
    die "Node $want or newer with npm is needed to build the page and there is none: see https://nodejs.org/en/download"
  have=$(node --version)
  at_least "${have#v}" "$want" ||
    die "Node $want or newer is needed to build the page, this is ${have#v} (Debian 12 has an older one): see https://nodejs.org/en/download"
}

# Debian packages, each with what needs it.
packages_package=(
  lintian             # package check
  mmdebstrap          # package check: the clean chroot
  qemu-user-static    # package check: the ARM binaries are run once
  systemd-container   # make check-boot
  iproute2            # package check: the loopback interface of its name space
  man-db              # package check: the manual page formats without a warning
)
packages_test=(
  gcc libc6-dev       # the race detector links with cgo
  mosquitto mosquitto-clients   # the broker, and an independent subscriber
  socat               # pairs of pseudo terminals for RTU
  python3-pymodbus python3-serial-asyncio   # an independent Modbus server, TCP and serial
  libmodbus-dev       # a second one
  chromium            # the page's tests
  shellcheck
)

packages_powercut=(
  user-mode-linux     # a kernel that can be killed
  e2fsprogs           # makes its file system
)

# missing PKG...: those that are not installed.
missing() {
  local have
  have=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
  local p
  for p; do
    [[ $have == *" installed:$p "* ]] || printf '%s\n' "$p"
  done
}

# Debian starts and enables a service when its package is installed. A
# developer's machine must not grow a broker, so starting is forbidden for the
# time of the installation (where the machine has a policy of its own, that
# one stands), and what was enabled is disabled again.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_services() {
  [ -e "$policy" ] && return
  policy_is_ours=yes
  trap allow_services EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

allow_services() {
  [ "$policy_is_ours" = yes ] || return 0
  rm -f "$policy"
  policy_is_ours=no
}

# By file, because systemctl cannot be asked where systemd does not run.
unit_exists() {
  local dir
  for dir in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e "$dir/$1" ]; then return 0; fi
  done
  return 1
}

# quiet UNIT: it neither runs nor starts at boot.
quiet() {
  systemctl disable "$1" >/dev/null 2>&1 || true
  if [ -d /run/systemd/system ]; then systemctl stop "$1" >/dev/null 2>&1 || true; fi
}

install_debian() {
  local line=(apt-get install -y --no-install-recommends "$@") had_broker=no
  [ "$(id -u)" -eq 0 ] || die "Debian packages are missing; run this and try again:
  sudo ${line[*]}"
  printf 'deps: installing %s\n' "$*"
  unit_exists mosquitto.service && had_broker=yes
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  # The package lists are fetched only when they turn out to be missing or old.
  "${line[@]}" >build/deps.log 2>&1 ||
    { apt-get update && "${line[@]}"; } >>build/deps.log 2>&1 ||
    { tail -n 20 build/deps.log >&2; die "apt-get install did not succeed (see build/deps.log)"; }
  allow_services
  if [ $had_broker = no ] && unit_exists mosquitto.service; then quiet mosquitto.service; fi
}

ensure_debian() {
  local want
  command -v dpkg-query >/dev/null ||
    die "this is not a Debian system; the tests need the programs of these Debian packages: $*"
  mapfile -t want < <(missing "$@")
  [ ${#want[@]} -eq 0 ] || install_debian "${want[@]}"
}

# ensure_npm DIR: node_modules matches package-lock.json and this Node.
ensure_npm() {
  local dir=$1 stamp now
  stamp=$dir/node_modules/.fieldferry-stamp
  now=$(node --version; sha256sum <"$dir/package-lock.json")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && return
  printf 'deps: npm ci in %s\n' "$dir"
  (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error) || die "npm ci in $dir did not succeed"
  printf '%s\n' "$now" >"$stamp"
}

# The folders with locked npm packages: the page, and for tests the peers.
npm_folders() {
  find . \( -name node_modules -o -name .git -o -path ./build \) -prune -o -name package-lock.json -printf '%h\n' | sort
}

group=${1:-test}
mkdir -p build
check_go
if [ "$group" = powercut ]; then
  ensure_debian "${packages_powercut[@]}"
  exit
fi
check_node
case $group in
build)
  if [ -f web/ui/package-lock.json ]; then ensure_npm web/ui; fi
  ;;
package)
  if [ -f web/ui/package-lock.json ]; then ensure_npm web/ui; fi
  ensure_debian "${packages_package[@]}"
  ;;
test)
  ensure_debian "${packages_package[@]}" "${packages_test[@]}"
  while read -r dir; do ensure_npm "$dir"; done < <(npm_folders)
  ;;
*)
  die "unknown group $group: build, package, test or powercut"
  ;;
esac
