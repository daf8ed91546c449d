#!/bin/bash
# What boot-test.sh runs in the machine that it boots.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
config=/etc/calendarbot/calendarbot.toml

check() {
    local words=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "PASS: $words"
    else
        echo "FAIL: $words"
        printf '%s\n' "$said" | tail -n 20 | sed 's/^/      /'
    fi
}
fails() {
    ! "$@"
}
# within SECONDS COMMAND…: it ends well by then.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}
# GET PATH, or METHOD PATH BODY, answered by 2xx; the answer is printed.
ask() {
    local method=GET path=$1 body=${3:-} line answer
    [ $# = 1 ] || method=$1 path=$2
    exec 3<>/dev/tcp/127.0.0.1/8080 || return 1
    printf '%s %s HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
        "$method" "$path" "${#body}" "$body" >&3
    answer=$(timeout 10 cat <&3)
    exec 3>&-
    printf '%s\n' "$answer"
    [[ $answer == "HTTP/1.1 2"* ]]
}
of_unit() {
    systemctl show --value -p "$1" calendarbot.service
}
is() {
    [ "$(of_unit "$1")" = "$2" ] || { echo "$1 is $(of_unit "$1"), not $2"; return 1; }
}
version_is() {
    cmp /usr/bin/calendarbot "/packages/$1"
}
mentions() {
    "${@:2}" | grep -E -- "$1" >/dev/null || { "${@:2}" | tail; return 1; }
}

check "install" dpkg -i /packages/calendarbot_1.0_*.deb
cp /usr/bin/calendarbot /packages/1.0
check "installed, it is active" is ActiveState active
check "it is enabled" systemctl is-enabled calendarbot.service
check "it answers" ask /api/v1/next
check "it says what it does" mentions . of_unit StatusText
check "it runs as its user" [ "$(stat -c %U "/proc/$(of_unit MainPID)")" = calendarbot ]
echo "      $(grep -E 'VmHWM|Threads' "/proc/$(of_unit MainPID)/status" | tr -s '\t\n ' ' ')"
check "its figures of the machine are there" mentions '"resident_bytes": *[1-9]|"rss' ask /stats
check "the log has nothing that was refused" fails mentions \
    'Permission denied|not permitted|SIGSYS|Failed|error' journalctl -u calendarbot -o cat
check "a calendar is added" ask POST /api/v1/setup \
    '{"name": "wall", "link": "https://calendar.example/basic.ics"}'
check "the program has written it into the configuration" grep -q calendar.example $config
check "reload" systemctl reload calendarbot
check "reloaded, it answers" ask /healthz
(umask 077 && echo https://calendar.example/secret.ics >/etc/calendarbot/credentials/family)
printf '[[feeds]]\nname = "family"\ncredential = "feed_family"\n' >>$config
check "a link from a credential" systemctl restart calendarbot
check "it is in use" mentions family ask /api/v1/setup

pid=$(of_unit MainPID)
kill -KILL "$pid"
check "killed, it is back" within 40 ask /healthz
check "as another process" fails is MainPID "$pid"


systemctl reset-failed calendarbot
pid=$(of_unit MainPID)
kill -STOP "$pid"
begun=$SECONDS
another_answers() {
    [ "$(of_unit MainPID)" != "$pid" ] && ask /healthz
}
within 150 another_answers >/dev/null 2>&1
check "it hangs: the watchdog has started another $((SECONDS - begun)) s later" another_answers

systemctl reset-failed calendarbot
check "upgrade" dpkg -i /packages/calendarbot_1.1_*.deb
cp /usr/bin/calendarbot /packages/1.1
check "upgraded, it answers" ask /healthz
check "the previous version is kept" cmp /var/lib/calendarbot-previous/previous/calendarbot /packages/1.0
check "so are its data" tar -tf /var/lib/calendarbot-previous/previous/data.tar

check "rollback by hand" calendarbot-rollback --to-previous
check "it is the previous version" version_is 1.0
check "it answers" ask /healthz
check "forward" calendarbot-rollback --forward
check "it is the newer version" version_is 1.1
check "it answers" ask /healthz

# What the schema of two versions later would look like: the number is all that is looked at.
systemctl stop calendarbot
printf '\0\0\0\143' | dd of=/var/lib/calendarbot/calendarbot.db bs=1 seek=60 conv=notrunc status=none
check "rollback with data that the version before cannot read" \
    mentions 'the data are those of before the upgrade' calendarbot-rollback --to-previous
check "it answers" ask /healthz
check "what it could not read is kept" tar -tf /var/lib/calendarbot-previous/newer/data.tar
check "forward" calendarbot-rollback --forward

restart_often() {
    local time
    for time in 1 2 3 4; do systemctl restart calendarbot 2>/dev/null; done
    within 10 ask /healthz
}
check "many starts by hand are no failure" restart_often
check "and no reason to go back" version_is 1.1
systemctl reset-failed calendarbot

for bad in 1.2 1.3; do
    dpkg -i /packages/calendarbot_${bad}_*.deb >/dev/null 2>&1
    begun=$SECONDS
    within 290 ask /healthz >/dev/null 2>&1
    check "version $bad does not get ready: $((SECONDS - begun)) s later the one before it answers" \
        ask /healthz
    check "that one is in place" version_is 1.1
    check "the log says so" mentions "back from $bad to 1.1" journalctl -u 'calendarbot*' -o cat
    check "the note says so" mentions "back from $bad to 1.1" calendarbot-rollback --list
done

# A version that has served well is in the history, as the program would have kept it.
good=/var/lib/calendarbot/configurations/000001.toml
install -d -o calendarbot -g calendarbot -m 700 ${good%/*}
{ echo "# calendarbot 1.0, 2026-01-01T00:00:00Z, good, $config"; cat $config; } >$good
chown calendarbot: $good
echo 'port = "x"' >>$config
systemctl restart calendarbot 2>/dev/null
check "a wrong configuration makes room for the last good one" within 20 ask /healthz
check "the log says so" mentions 'is as of 2026-01-01' journalctl -u calendarbot-rollback -o cat
check "the program stays" version_is 1.1

systemctl stop calendarbot
sed -i 's/127.0.0.1:8080/127.0.0.1:80/' /lib/systemd/system/calendarbot.socket
systemctl daemon-reload
check "the socket, on a port that only root may take" systemctl start calendarbot.socket
check "it starts the program" bash -c 'exec 3<>/dev/tcp/127.0.0.1/80 &&
    printf "GET /healthz HTTP/1.0\r\n\r\n" >&3 && timeout 20 head -n 1 <&3 | grep " 200 "'
systemctl stop calendarbot.socket

check "remove" dpkg -r calendarbot
check "removed, it does not run" is MainPID 0
check "its data stay" test -s /var/lib/calendarbot/calendarbot.db
check "purge" dpkg -P calendarbot
check "purged, its data are gone" fails test -e /var/lib/calendarbot
systemctl list-units --failed --no-legend
echo DONE
