#!/usr/bin/env bash
# Runs inside the clean Debian that check.sh makes, as root of it: /this.deb
# and /next.deb are the same program as two versions.
set -euo pipefail

version=$1
state=/var/lib/fieldferry
config=$state/config

say() { printf '  %s\n' "$*"; }
fail() {
  printf 'check-package: %s\n' "$*" >&2
  [ ! -f /tmp/run.log ] || { echo 'the gateway said:' >&2; tail -n 30 /tmp/run.log >&2; }
  exit 1
}
# is GOT WANT WHAT
is() { [ "$1" = "$2" ] || fail "$3: got \"$1\", want \"$2\""; }

# Everything on the disk but what programs write about the installation itself.
snapshot() {
  find / -xdev \( -path /proc -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \
    -o -path /var/lib/dpkg -o -path '/*.deb' \) -prune -o -printf '%p %y %m %u:%g\n' | sort
}

# Checksums of what users and the administrator wrote; not the copy of the last
# configuration that ran.
sums() { find $config /etc/fieldferry -name .last-good -prune -o -type f -exec sha256sum {} + | sort; }

# A command in front of which this stands runs as the gateway's user.
as_user=(setpriv --reuid=fieldferry --regid=fieldferry --init-groups env -i "PATH=$PATH")

installed() { dpkg-query -W -f '${Version} ${db:Status-Abbrev}' fieldferry; }

# dpkg asks nobody: there is nobody.
dpkg_quietly() { dpkg "$@" </dev/null >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log >&2; fail "dpkg $*"; }; }

# until SECONDS COMMAND...: repeats it until it succeeds.
until_ok() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/tmp/until.log 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    kill -0 "$gateway" 2>/dev/null || return 1
    read -rt 0.2 <> <(:) || true   # a pause
  done
}

page() {
  exec 3<>/dev/tcp/127.0.0.1/8443 || return 1
  printf 'GET / HTTP/1.1\r\nHost: 127.0.0.1:8443\r\nConnection: close\r\n\r\n' >&3
  local answer
  answer=$(timeout 5 cat <&3 | tr -d '\0')
  exec 3>&-
  [[ $answer == "HTTP/1.1 200 "* ]] && grep -qi '<html' <<<"$answer"
}

# One life of the gateway as the unit would give it: started, reached through
# its socket, its page served, ended by TERM.
run_once() {
  install -d -o fieldferry -g fieldferry -m 0700 /run/fieldferry
  "${as_user[@]}" /usr/bin/fieldferry run >/tmp/run.log 2>&1 &
  gateway=$!
  until_ok 20 fieldferry reload || fail "the control socket does not answer: $(cat /tmp/until.log)"
  until_ok 20 page || fail "the page does not answer: $(cat /tmp/until.log)"
  fieldferry status >/tmp/status.log || fail "status"
  grep -q '^No device is asked; no uplink is set up\.$' /tmp/status.log || fail "status says $(cat /tmp/status.log)"
  is "$(stat -c '%a %U' /run/fieldferry/control.sock)" "600 fieldferry" "mode of the control socket"
  code=0; setpriv --reuid=nobody --regid=nogroup --clear-groups fieldferry status >/tmp/nobody.log 2>&1 || code=$?
  is "$code" 69 "exit status of a stranger's status"
  local began=$SECONDS code=0
  kill -TERM "$gateway"
  wait "$gateway" || code=$?
  is "$code" 0 "exit status after TERM"
  [ $((SECONDS - began)) -le 20 ] || fail "TERM took $((SECONDS - began)) s, limit 20 s"
}

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
snapshot >/tmp/before

say "install"
dpkg_quietly -i /this.deb
is "$(installed)" "$version-0fieldferry1 ii " "state after installing"
is "$(stat -c '%a %U:%G' $state)" "700 fieldferry:fieldferry" "mode of $state"
is "$(stat -c '%a %U:%G' $config/gateway.yaml)" "600 fieldferry:fieldferry" "mode of gateway.yaml"
is "$(stat -c '%a %U:%G' /etc/fieldferry/fieldferry.yaml)" "644 root:root" "mode of fieldferry.yaml"
is "$(id -nG fieldferry | tr ' ' '\n' | sort | paste -sd ' ')" "dialout fieldferry" "groups of the user"
is "$(getent passwd fieldferry | cut -d : -f 6,7)" "$state:/usr/sbin/nologin" "home and shell of the user"
grep -qw 'hall-3' $config/gateway.yaml || fail "gateway.yaml does not carry the host's name"
[ -L /etc/systemd/system/multi-user.target.wants/fieldferry.service ] || fail "the service is not enabled"
fieldferry version | grep -qF "$version" || fail "version says $(fieldferry version)"
"${as_user[@]}" fieldferry check || fail "the installed configuration has faults"
bash -n /usr/share/bash-completion/completions/fieldferry || fail "the bash completion is broken"

say "what is commented out in the installed files would load"
mkdir /tmp/conf
# The examples are the last block of comment in each file.
sed -nE '/^# uplinks:/,$ s/^# ?//p' $config/gateway.yaml | cat $config/gateway.yaml - >/tmp/conf/gateway.yaml
sed -nE '/^# links:/,/^links:/ s/^# ?//p' $config/tagmap.yaml >/tmp/conf/tagmap.yaml
sed -E 's/^#( *[a-z_]+:)/\1/' /etc/fieldferry/fieldferry.yaml >/tmp/conf/admin.yaml
touch /tmp/conf/ca.pem /tmp/conf/plant.password
fieldferry check /tmp/conf --admin /tmp/conf/admin.yaml >/tmp/check.log || fail "the examples have faults: $(cat /tmp/check.log)"
is "$(head -n 1 /tmp/check.log)" "no faults: 1 link, 1 device, 1 tag, 1 uplink" "the examples"
grep -q '^buffer:' /tmp/conf/admin.yaml || fail "no commented default was found in fieldferry.yaml"
code=0; (cd /usr/share/doc/fieldferry/examples && fieldferry check . >/tmp/check.log) || code=$?
[ $code = 0 ] || fail "the sample configuration has faults: $(cat /tmp/check.log)"

say "a broken configuration at the first start ends with 78"
cp -p $config/tagmap.yaml /tmp/tagmap.yaml
echo 'nonsense: 1' >>$config/tagmap.yaml
code=0; "${as_user[@]}" timeout 20 fieldferry run >/tmp/run.log 2>&1 || code=$?
is $code 78 "exit status of run"
code=0; "${as_user[@]}" fieldferry check >/tmp/check.log 2>&1 || code=$?
is $code 3 "exit status of check"
grep -q 'tagmap.yaml' /tmp/check.log || fail "check does not name the file: $(cat /tmp/check.log)"
cp -p /tmp/tagmap.yaml $config/tagmap.yaml

say "run"
run_once
[ -z "$(find $state ! -user fieldferry -print -quit)" ] || fail "files of another user in $state"

say "upgrade"
echo '# changed by the administrator' >>/etc/fieldferry/fieldferry.yaml
echo '# changed by the user' >>$config/gateway.yaml
sums=$(sums)
dpkg_quietly -i /next.deb
is "$(installed)" "$version.next-0fieldferry1 ii " "state after upgrading"
is "$(sums)" "$sums" "configuration after upgrading"
"${as_user[@]}" fieldferry check || fail "the configuration has faults after the upgrade"
run_once

say "back to the older version"
dpkg_quietly -i /this.deb
run_once

say "remove keeps configuration and data, and a new installation takes them up"
dpkg_quietly -r fieldferry
[ ! -e /usr/bin/fieldferry ] || fail "the program is still there"
is "$(sums)" "$sums" "configuration after removing"
dpkg_quietly -i /next.deb
is "$(sums)" "$sums" "configuration after installing again"

say "purge leaves the user and nothing else"
dpkg_quietly -P fieldferry
id fieldferry >/dev/null || fail "the user is gone"
snapshot >/tmp/after
left=$(diff /tmp/before /tmp/after | grep '^[<>]' | grep -vE ' /etc/(passwd|group|shadow|gshadow)-? | /etc/\.pwd\.lock ' || true)
is "$left" "" "left after purging"

say "a configuration that is there before the first installation stays"
install -d $config
echo 'gateway: {name: mine}' >$config/gateway.yaml
dpkg_quietly -i /this.deb
is "$(ls $config) $(cat $config/gateway.yaml)" "gateway.yaml gateway: {name: mine}" "the configuration"
dpkg_quietly -P fieldferry
