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
  install -d -o fieldferry -g fieldferry -m 0755 /run/fieldferry
  "${as_user[@]}" /usr/bin/fieldferry run >/tmp/run.log 2>&1 &
  gateway=$!
  until_ok 20 fieldferry reload || fail "the control socket does not answer: $(cat /tmp/until.log)"
  until_ok 20 page || fail "the page does not answer: $(cat /tmp/until.log)"
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
sums=$(find $config /etc/fieldferry -type f -exec sha256sum {} + | sort)
dpkg_quietly -i /next.deb
is "$(installed)" "$version.next-0fieldferry1 ii " "state after upgrading"
is "$(find $config /etc/fieldferry -type f -exec sha256sum {} + | sort)" "$sums" "configuration after upgrading"
"${as_user[@]}" fieldferry check || fail "the configuration has faults after the upgrade"
run_once

say "back to the older version"
dpkg_quietly -i /this.deb
run_once

say "remove keeps configuration and data, and a new installation takes them up"
dpkg_quietly -r fieldferry
[ ! -e /usr/bin/fieldferry ] || fail "the program is still there"
is "$(find $config /etc/fieldferry -type f -exec sha256sum {} + | sort)" "$sums" "configuration after removing"
dpkg_quietly -i /next.deb
is "$(find $config /etc/fieldferry -type f -exec sha256sum {} + | sort)" "$sums" "configuration after installing again"

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
