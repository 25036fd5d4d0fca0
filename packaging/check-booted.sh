#!/usr/bin/env bash
# Runs inside the container that check-boot.sh boots, as a service of it.
set -euo pipefail

say() { printf '  %s\n' "$*"; }
fail() {
  printf 'check-boot: %s\n' "$*"
  systemctl status --no-pager --lines 0 fieldferry.service || true
  journalctl --no-pager -o cat -n 30 -u fieldferry.service || true
  exit 1
}
show() { systemctl show -P "$1" fieldferry.service; }

# within SECONDS TEXT CONDITION...
within() {
  local seconds=$1 end=$((SECONDS + $1)) text=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt "$end" ] || fail "$text: not within $seconds s"
    sleep 0.2
  done
}
active() { [ "$(show ActiveState)/$(show SubState)" = active/running ]; }
restarted() { active && [ "$(show MainPID)" != "$pid" ]; }

say "install: the service starts in its sandbox and says that it is ready"
dpkg -i /this.deb </dev/null
within 30 "active after installing" active
[ "$(show NRestarts)" = 0 ] || fail "it was started $(show NRestarts) times more"
pid=$(show MainPID)
[ "$(stat -c %U "/proc/$pid")" = fieldferry ] || fail "it runs as $(stat -c %U "/proc/$pid")"
grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "it may gain privileges"
grep -q '^CapBnd:.0*$' "/proc/$pid/status" || fail "it has capabilities: $(grep CapBnd "/proc/$pid/status")"
say "  $(show StatusText)"

say "reload"
systemctl reload fieldferry || fail "reload"
[ "$(show MainPID)" = "$pid" ] || fail "a reload restarted it"

say "kill -9: it is started again"
kill -9 "$pid"
within 30 "active after kill -9" restarted

say "frozen: the watchdog notices"
pid=$(show MainPID)
kill -STOP "$pid"
within 60 "active after it was frozen" restarted

say "upgrade: restarted as the new version"
pid=$(show MainPID)
dpkg -i /next.deb </dev/null
within 30 "active after upgrading" restarted
dpkg-query -W -f '${Version}\n' fieldferry | grep -qF .next || fail "dpkg has $(dpkg-query -W fieldferry)"

say "an administrator's stop stays a stop"
systemctl stop fieldferry
[ "$(show Result)" = success ] || fail "stopping ended with $(show Result)"

say "remove, purge"
systemctl start fieldferry
dpkg -r fieldferry </dev/null
if pgrep -u fieldferry >/dev/null 2>&1; then fail "a process is left"; fi
dpkg -P fieldferry </dev/null
[ ! -e /var/lib/fieldferry ] && [ ! -e /etc/fieldferry ] && [ ! -e /run/fieldferry ] || fail "files are left"
echo passed
