#!/usr/bin/env bash
# Runs inside the container that check-boot.sh boots, as a service of it.
set -euo pipefail

config=/var/lib/fieldferry/config

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
given_up() {
  local p
  p=$(show MainPID)
  [ "$p" = 0 ] || kill -9 "$p"
  state failed
}
state() { [ "$(show ActiveState)" = "$1" ]; }
restarted() { active && [ "$(show MainPID)" != "$pid" ]; }

# configure: the tag map from standard input, and an uplink to a broker of this
# machine. Five minutes between two syncs, so that samples are nowhere but in
# the runtime directory.
configure() {
  cat >$config/tagmap.yaml
  cat >$config/gateway.yaml <<'YAML'
gateway: {name: hall}
buffer: {sync_interval: 5m, min_free: 1MiB}
uplinks: [{name: plant, brokers: ["mqtt://127.0.0.1:1883"], start: oldest}]
YAML
  fieldferry reload || fail "reload"
}
says() { fieldferry status --json | grep -qF "$1"; }
count_pending() { fieldferry status --json | sed -nE 's/.*"uplinks":\[[^]]*"pending":([0-9]+).*/\1/p'; }
pending() { local n; n=$(count_pending) && [ "${n:-0}" -ge "$1" ]; }
# heard N: at least N different messages reached the witness.
heard() { [ "$(sort -u /tmp/heard | wc -l)" -ge "$1" ]; }
# A counter of each life of the gateway, without a gap. What is said twice (the
# same value with the same time) does not count.
disorder() {
  awk '!seen[$0]++ { match($0, /"value":[0-9]+/); v = substr($0, RSTART + 8, RLENGTH - 8) + 0
    if (NR > 1 && v == 1) lives++
    else if (NR > 1 && v != last + 1) print "after " last " comes " v
    last = v }
    END { if (lives < 2) print lives + 1 " lives" }' /tmp/heard
}
in_order() { [ -z "$(in_order_report)" ]; }

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

say "a serial port of the group dialout opens inside the sandbox, another does not"
script -qfc 'tty >/tmp/tty; exec sleep 600' /dev/null </dev/null >/dev/null 2>&1 &
within 10 "a terminal" [ -s /tmp/tty ]
port=$(cat /tmp/tty)
configure <<YAML
links:
  - name: line
    driver: modbus-rtu
    endpoint: $port
    timeout: 100ms
    devices: [{name: meter, unit_id: 1, interval: 200ms, tags: [{name: a, address: "hr:0", type: uint16}]}]
YAML
chown root:root "$port"
chmod 0660 "$port"
within 20 "the port is refused" says 'permission denied'
chgrp dialout "$port"
within 40 "the port is open and nobody answers" says 'no answer within'
if says 'permission denied'; then fail "the port is still refused"; fi

say "kill -9 in an outage of the broker: every value arrives, in order, after the restart"
configure <<'YAML'
links:
  - name: made-up
    driver: sim
    devices: [{name: pump, interval: 50ms, tags: [{name: strokes, address: counter, type: uint64}]}]
YAML
systemctl restart fieldferry # the buffer's settings count from a start
systemctl start mosquitto
mosquitto_sub -h 127.0.0.1 -c -i witness -q 1 -t hall/pump/strokes >/tmp/heard &
within 30 "20 values at the broker" heard 20
systemctl stop mosquitto
within 30 "40 samples pending" pending 40
held=$(count_pending)
pid=$(show MainPID)
kill -9 "$pid"
within 30 "active after kill -9" restarted
within 5 "$held samples are still there after kill -9" pending "$held"
within 30 "more samples pending" pending $((held + 40))

say "the same when it has crashed too often and is left lying"
held=$(count_pending)
mkdir /run/systemd/system/fieldferry.service.d
printf '[Unit]\nStartLimitBurst=1\n' >/run/systemd/system/fieldferry.service.d/once.conf
systemctl daemon-reload
within 60 "systemd gives up" given_up
rm -r /run/systemd/system/fieldferry.service.d
systemctl daemon-reload
[ -n "$(ls -A /run/fieldferry)" ] || fail "systemd took away what was in /run/fieldferry"
systemctl reset-failed fieldferry
systemctl start fieldferry
within 5 "$held samples are still there after it was left lying" pending "$held"
systemctl start mosquitto
within 60 "all samples at the broker" heard $((held + 60))
wrong=$(disorder)
[ -z "$wrong" ] || fail "of $(wc -l </tmp/heard) messages: $wrong"
say "  $(wc -l </tmp/heard) messages, $((held + 60)) and more of them different"

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
user=$(id -u fieldferry)
if left=$(grep -lE "^Uid:.$user\b" /proc/[0-9]*/status 2>/dev/null); then fail "processes are left: $left"; fi
dpkg -P fieldferry </dev/null
[ ! -e /var/lib/fieldferry ] && [ ! -e /etc/fieldferry ] && [ ! -e /run/fieldferry ] || fail "files are left"
echo passed
