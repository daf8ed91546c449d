#!/usr/bin/env bash
# The static program on a board that has nothing else: Debian's kernel, busybox, ten seconds.
#
#   smoke.sh FOLDER PROGRAM       FOLDER is for what is fetched and made
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
program=$(realpath "$2")
. "$(dirname "$0")/lib.sh"
"$here/initrd.sh" "$folder"

# It lies on a disk, as on a card: of what is in memory anyway, more would count as the program's.
mkdir -p "$work/disk/data"
install -m 755 "$program" "$work/disk/calendarbot"
truncate --size=32M "$work/image"
PATH=$PATH:/usr/sbin mkfs.ext4 -q -d "$work/disk" "$work/image"

began=$(date +%s%N)
board_start '' -icount shift=1 -rtc base=1970-01-01T00:10:00 \
  -drive file="$work/image",format=raw,if=none,id=data -device virtio-blk-pci,drive=data
board_booted
say PASS "it boots: $((($(date +%s%N) - began) / 1000000)) ms of this machine's time"
port=$(board_port)
guest 'mkdir /disk && mount -t ext4 /dev/vda /disk'

# Started, and asked until it answers, on the board itself. Its clock counts instructions, two
# nanoseconds each, about what a Cortex-A53 of 1 GHz needs: the same on every machine that emulates.
start='{ TZ=UTC /disk/calendarbot --host 0.0.0.0 --data-dir /disk/data & echo $! >/tmp/pid; wait $!; echo $? >/tmp/status; } 2>>/tmp/log &'
ready='tries=0; until wget -q -O /dev/null http://127.0.0.1:8080/readyz 2>/dev/null; do
  [ $((tries += 1)) -lt 500 ] || exit 1; done'
uptime='read now rest </proc/uptime; echo $now'
milliseconds() { awk '{ print int(($NF - $1) * 1000 + 0.5) }'; }
field() { guest "sed -n 's/^$1:[^0-9]*\([0-9]*\).*/\1/p' /proc/\$(cat /tmp/pid)/status"; }

took=$(guest "$uptime; $start $ready; $uptime" | tr '\n' ' ' | milliseconds || :)
at_most 'it shows the demo after its start within' "$took" 1000 ms
check 'GET / is the page' has / 'What’s next'
check 'GET /api/whats-next answers 200' test "$(status /api/whats-next)" = 200
check 'GET /stats is read from outside' has /stats '"rss":'
check 'in 1970 it says that the clock is not set' has / 'The clock is not set'
guest "date -s @$(date +%s)" > /dev/null
check 'and once it is set, knows the time' within 60 has /api/v1/next "\"now\":\"$(date +%Y-%m)"
check 'with what comes next today' within 60 has / "$(date -u +'%A %-d %B')"

at_most 'resident memory with the demo shown' "$(field VmRSS)" 5120 KiB
for _ in $(seq 20); do get / > /dev/null; get /api/v1/events > /dev/null; done
at_most 'and after 40 more answers' "$(field VmRSS)" 6144 KiB
at_most 'threads' "$(field Threads)" 4 ''

skip() { curl -s -m 20 -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{}' "http://127.0.0.1:$port/api/v1/skips/$1"; }
check 'a skip is acknowledged' test "$(skip kept)" = 201
guest 'kill -9 $(cat /tmp/pid)'
guest "rm /tmp/status; $start $ready"
check 'after kill -9 it is still there' has /api/v1/skips '"kept"'

ended='tries=0; until [ -s /tmp/status ]; do
  [ $((tries += 1)) -lt 500 ] || exit 1; sleep 0.02; done'
took=$(guest "$uptime; kill -TERM \$(cat /tmp/pid); $ended; $uptime" | tr '\n' ' ' | milliseconds || :)
at_most 'SIGTERM ends it within' "$took" 2000 ms
check 'with status 0' test "$(guest cat /tmp/status)" = 0
[ "$failed" = 0 ] || guest cat /tmp/log
exit $((failed > 0))
