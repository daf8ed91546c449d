# Sourced by board.sh: what is checked, a function a part. Each leaves the board as it was.

parts='start sandbox watchdog kill_9 power_cut reload socket clock heat network full_disk commands workload upgrade rollback remove'

name=calendarbot
config=/etc/calendarbot/calendarbot.toml
data=/var/lib/calendarbot
url=http://127.0.0.1:8080

# The package, and others made of it: one with another program and the next schema of the data; one
# that never gets ready; and one that spoils the data for older versions before it fails.
packages() {
  local version
  mkdir "$work/packages"
  version=$(dpkg-deb --field "$package" Version)
  cp "$package" "$work/packages/this.deb"
  mkdir "$work/packages/commands"
  awk -v folder="$work/packages/commands" -f "$here/commands.awk" "$here/../../docs/OPERATIONS.md"
  repack "$version+1" newer 'sqlite3 "$database" "ALTER TABLE feed ADD COLUMN of_tomorrow TEXT" "PRAGMA user_version = 7"'
  repack "$version+2" broken 'exit 1'
  repack "$version+3" spoiler 'sqlite3 "$database" "PRAGMA user_version = 8"; exit 1'
}
repack() { # version name what its program does first
  local tree=$work/repacked
  dpkg-deb --raw-extract "$package" "$tree"
  sed -i "s/^Version: .*/Version: $1/" "$tree/DEBIAN/control"
  mv "$tree/usr/bin/$name" "$tree/usr/bin/$name.program"
  printf '#!/bin/sh\ncase $1 in\nserve)\n  database=$STATE_DIRECTORY/calendarbot.db\n  %s\n  ;;\nesac\nexec -a calendarbot /usr/bin/calendarbot.program "$@"\n' "$3" \
    | sed '1s/sh/bash/' > "$tree/usr/bin/$name"
  chmod 755 "$tree/usr/bin/$name"
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$work/packages/$2.deb" > /dev/null
  rm -rf "$tree"
}

guest_says() { # text command...
  local text=$1
  shift
  guest "$@" | grep -F -- "$text" > /dev/null
}
active() { [ "$(guest systemctl is-active $name)" = active ]; }
show() { guest "systemctl show --value -p $1 $name"; }
# How long the board took for a command, in milliseconds.
took() { # command
  guest "read a rest </proc/uptime; { $1; } >/dev/null 2>&1 || exit 1; read b rest </proc/uptime; echo \$a \$b" \
    | awk '{ print int(($2 - $1) * 1000 + 0.5) }'
}
skip() { # id: the status that it is answered with
  curl -s -m 20 -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{}' \
    "http://127.0.0.1:$port/api/v1/skips/$1" || :
}
# The package's configuration, with what an operator adds to it.
configure() { # lines
  guest "cat /root/packaged.toml - > $config <<'END'
host = \"0.0.0.0\"
$1
END"
}
# A feed of this machine's.
feed() { # name
  printf 'allow_private_feeds = true\n[[feeds]]\nname = "%s"\ninterval = "1m"\nurl = "http://10.0.2.2:%s/%s.ics"\n' "$1" "$feeds_port" "$1"
}
# What is in it: one appointment of tomorrow.
publish() { # name title
  printf 'BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:%sT090000Z\nSUMMARY:%s\nEND:VEVENT\nEND:VCALENDAR\n' \
    "$(date -u -d tomorrow +%Y%m%d)" "$2" > "$work/feeds/$1.new"
  mv "$work/feeds/$1.new" "$work/feeds/$1.ics"
}
refresh() { guest "curl -s -m 20 -H 'Content-Type: application/json' -d '{}' $url/api/v1/refresh" > /dev/null; }
restart() { guest "systemctl reset-failed $name; systemctl restart $name"; }

part_install() {
  local said
  patience=120
  said=$(guest dpkg -i /mnt/this.deb) || :
  check 'the package is installed' guest_says 'install ok installed' "dpkg -s $name"
  check 'which tells where to look' grep -q '/setup' <<< "$said"
  check 'it runs' active
  check 'and will after the next start' guest_says enabled "systemctl is-enabled $name"
  guest "cp $config /root/packaged.toml"
  configure ''
  restart
  check 'it is seen from outside' within 60 has / 'What’s next'
  [ "$failed" = 0 ] || { echo "$said"; guest "systemctl status $name --no-pager"; }
}

part_start() {
  local pid uptime
  at_most 'ready after the start within' "$(took "systemctl restart $name")" 1000 ms
  configure "$(feed silent)"
  at_most 'and before the first fetch has ended' "$(took "systemctl restart $name")" 1000 ms
  check 'which is still going on' has /stats '"last_success":null'
  configure ''
  restart
  # systemctl ends when the program is ready; the start is that of its process.
  uptime=$(guest "systemctl stop $name; systemctl start $name; curl -sf -o /dev/null $url && cut -d ' ' -f 1 /proc/uptime")
  at_most 'first page after the start within' "$(awk "BEGIN { print int(${uptime:-x} * 1000 - $(show ExecMainStartTimestampMonotonic) / 1000) }")" 1000 ms
  for _ in $(seq 20); do get / > /dev/null; get /api/v1/events > /dev/null; done
  pid=$(show MainPID)
  at_most 'resident memory' "$(guest "sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status")" 8192 KiB
  at_most 'threads' "$(guest "sed -n 's/^Threads:[^0-9]*//p' /proc/$pid/status")" 4 ''
  at_most 'memory of its control group' "$(($(show MemoryCurrent) / 1024))" 24576 KiB
}

part_sandbox() {
  local pid
  pid=$(show MainPID)
  check 'it is not root' guest_says calendarbot "stat -c %U /proc/$pid"
  check 'it has no capability' guest_says 0000000000000000 "grep CapEff /proc/$pid/status"
  logged() { guest "journalctl -u $name --no-pager -o cat $1 | grep -F '$2'" > /dev/null; }
  check 'a warning is one in the journal' logged '-p warning' 'whoever reaches it'
  check 'and what is no warning is none' eval "logged '' 'data is kept' && ! logged '-p warning' 'data is kept'"
}

part_watchdog() {
  local before
  guest "mkdir -p /run/systemd/system/$name.service.d
    printf '[Service]\nWatchdogSec=5\nRestartSec=1\n' > /run/systemd/system/$name.service.d/quick.conf
    systemctl daemon-reload; systemctl restart $name"
  before=$(show NRestarts)
  sleep 12
  check 'it tells the watchdog that it lives' test "$(show NRestarts)" = "$before"
  guest "kill -STOP $(show MainPID)"
  restarted() { [ "$(show NRestarts)" -gt "$before" ] && active; }
  check 'stopped by SIGSTOP, it is started anew' within 60 restarted
  check 'and answers' within 60 has / 'What’s next'
  guest "rm -r /run/systemd/system/$name.service.d; systemctl daemon-reload; systemctl restart $name"
}

part_kill_9() {
  local round id kept=0 lost=0
  for round in 1 2 3; do
    (sleep 0.4; guest "kill -9 $(show MainPID)") &
    for id in $(seq 40); do
      [ "$(skip "r$round-$id")" = 201 ] && echo "r$round-$id" >> "$work/acknowledged" || break
    done
    wait $!
    guest "systemctl reset-failed $name; systemctl restart $name"
    within 60 has /readyz '' || :
  done
  get /api/v1/skips > "$work/skips"
  while read -r id; do
    if grep -qF "\"$id\"" "$work/skips"; then kept=$((kept + 1)); else lost=$((lost + 1)); fi
  done < "$work/acknowledged"
  check "kill -9, three times: of $((kept + lost)) acknowledged changes $lost are lost" test "$kept" -gt 0 -a "$lost" = 0
}

part_power_cut() {
  curl -s -m 20 -X DELETE "http://127.0.0.1:$port/api/skip" > /dev/null
  check 'a change is acknowledged' test "$(skip before-the-cut)" = 201
  # As when the plug is pulled: nothing is written any more.
  kill -9 "$qemu"
  wait "$qemu" 2>/dev/null || :
  power_on
  check 'after the power was cut, it starts by itself' within 60 active
  check 'with the change' within 60 has /api/v1/skips 'before-the-cut'
}

part_reload() {
  local pid
  pid=$(show MainPID)
  configure '[flags]
warming = false'
  guest "systemctl reload $name"
  check 'a flag of the configuration follows a reload' within 60 has /stats '{"name":"warming","on":false'
  configure ''
  guest "systemctl reload $name"
  check 'and comes back with the next' within 60 has /stats '{"name":"warming","on":true'
  check 'in the same process' test "$(show MainPID)" = "$pid"
}

part_socket() {
  quietly guest "systemctl stop $name; systemctl start $name.socket"
  check 'with the socket of systemd, a client starts it' guest_says 'What’s next' "curl -s $url"
  check 'which it was given' active
  quietly guest "systemctl stop $name.socket $name; systemctl start $name"
}

part_clock() {
  guest "systemctl stop $name; date -s @600; systemctl start $name" > /dev/null
  check 'in 1970 it says that the clock is not set' within 60 has / 'The clock is not set'
  guest "date -s @$(date +%s)" > /dev/null
  check 'and once it is set, shows today' within 60 has / "$(date -u +'%A %-d %B')"
}

part_heat() {
  # The sensor of a Pi, as a file; the service sees what is mounted before its start.
  guest "mount -t tmpfs none /sys/class/thermal
    mkdir /sys/class/thermal/thermal_zone0; echo 41000 > /sys/class/thermal/thermal_zone0/temp"
  restart
  check 'it knows how warm it is' within 60 has /stats '"celsius":41'
  guest 'echo 86000 > /sys/class/thermal/thermal_zone0/temp'
  check 'at 86 degrees there is an alert' within 60 has /stats '{"name":"temperature","level":"critical"'
  check 'and something is done' within 60 has /stats '{"name":"stop_warming","active":true'
  check 'while it serves' has / 'What’s next'
  guest 'echo 41000 > /sys/class/thermal/thermal_zone0/temp'
  check 'at 41 degrees the alert ends' within 150 has /stats '{"name":"temperature","level":"quiet"'
  check 'and what was done is undone' within 150 has /stats '{"name":"stop_warming","active":false'
  guest "systemctl stop $name; umount /sys/class/thermal"
}

part_network() {
  publish home 'Before the storm'
  configure "$(feed home)"
  restart
  check 'a feed of the network is shown' within 60 has /api/v1/events 'Before the storm'
  monitor 'set_link card off' > /dev/null
  publish home 'After the storm'
  restart
  check 'without a network it starts, and shows what it has' guest_says 'Before the storm' "curl -s $url/api/v1/events"
  refresh
  failed_to_fetch() { guest_says '"last_error":"' "curl -s $url/stats"; }
  check 'it says why there is nothing new' within 90 failed_to_fetch
  check 'and goes on showing it' guest_says 'Before the storm' "curl -s $url/api/v1/events"
  monitor 'set_link card on' > /dev/null
  check 'with the network come the news, of themselves' within 240 has /api/v1/events 'After the storm'
  configure ''
  restart
}

part_full_disk() {
  guest "systemctl stop $name; mount /dev/vdc /srv; cp -a $data/. /srv; umount /srv; mount /dev/vdc $data
    systemctl start $name"
  check 'it runs on a small disk' within 60 has / 'What’s next'
  quietly guest "dd if=/dev/zero of=$data/filler bs=4096"
  check 'on a full disk a change is refused' test "$(skip on-a-full-disk)" = 503
  check 'the page is there' has / 'What’s next'
  restart
  check 'it starts' active
  check 'and shows what it has' within 60 has / 'What’s next'
  guest "rm $data/filler"
  stored() { [ "$(skip with-room-again)" = 201 ]; }
  check 'with room, changes are kept again' within 90 stored
  guest "systemctl stop $name; umount $data"
}

# The commands of docs/OPERATIONS.md, as root, in a folder that has what a reader would have there.
part_commands() {
  local block status
  # The calendar that the document speaks of; wrong requests are errors.
  guest "printf 'BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20251201T090000Z\nRRULE:FREQ=DAILY\nSUMMARY:Stand-up\nEND:VEVENT\nEND:VCALENDAR\n' > /srv/work.ics
    echo fail > /root/.curlrc
    printf '#!/bin/sh\nexec \"\$@\"\n' > /usr/local/bin/sudo; chmod +x /usr/local/bin/sudo
    mkdir -p /root/here; cp /mnt/this.deb /root/here/$(basename "$package"); cp $config /root/here"
  configure "[[feeds]]
name = \"work\"
file = \"/srv/work.ics\""
  restart
  for block in "$work"/packages/commands/*; do
    # What one leaves behind is not in the way of the next.
    quietly guest "systemctl reset-failed $name; systemctl start $name"
    guest "cd /root/here && timeout 100 bash -euo pipefail /mnt/commands/${block##*/}" > "$work/said"
    status=$?
    check "OPERATIONS.md: $(head -n 1 "$block")" test "$status" = 0
    [ "$failed" = "$before" ] || cat "$work/said"
  done
  configure ''
  restart
}

# Ten minutes of three displays, on a clock that leaves out the waiting: the same figures every
# time, in a fraction of the time.
part_workload() {
  local figures group=/sys/fs/cgroup/system.slice/$name.service
  guest sync
  kill "$qemu" && wait "$qemu" 2>/dev/null
  icount=shift=1,sleep=off
  power_on
  guest "systemctl reset-failed $name; systemctl restart $name"
  patience=300
  figures=$(guest "spent() { sed -n 's/^usage_usec //p' $group/cpu.stat; }
    pid=\$(systemctl show --value -p MainPID $name)
    for path in / /api/whats-next /api/v1/next; do curl -sf -o /dev/null $url\$path || echo failed; done
    sleep 20; before=\$(spent)
    for turn in \$(seq 60); do
      for path in / /api/whats-next /api/v1/next; do curl -sf -o /dev/null $url\$path || echo failed; done
      sleep 10
    done
    echo \$((\$(spent) - before)) \$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/\$pid/status)")
  patience=120
  check 'ten minutes of displays: every answer is one' test "${figures%% *}" != failed
  at_most 'processor time for 180 answers and ten minutes' "$((${figures% *} / 1000))" 350 ms
  at_most 'resident memory, at most' "${figures#* }" 8192 KiB
  guest sync
  kill "$qemu" && wait "$qemu" 2>/dev/null
  icount=shift=1
  power_on
}

version() { guest "dpkg-query -W -f '\${Version}' $name"; }
schema() { guest "setpriv --reuid calendarbot --regid calendarbot --clear-groups sqlite3 $data/calendarbot.db 'PRAGMA user_version'"; }
part_upgrade() {
  local before old
  before=$(version) old=$(schema)
  check 'a change is acknowledged' test "$(skip over-versions)" = 201
  check 'a newer version is installed over it' quietly guest dpkg -i /mnt/newer.deb
  check 'it runs' active
  check "with the data in its schema: $old before, $(schema) now" test "$(schema)" -gt "$old"
  check 'and the change' within 60 has /api/v1/skips over-versions
  is_newer() { guest "grep -qI '^#!' /usr/bin/$name"; }
  check 'the way back by hand' quietly guest calendarbot-rollback --to-previous
  check 'leads to a program that runs' active
  check 'and is the older one' eval '! is_newer && has /api/v1/skips over-versions'
  check 'the way forward leads to the newer one' eval 'quietly guest calendarbot-rollback --forward && is_newer && active'
  check 'the older version is installed over it' quietly guest dpkg -i /mnt/this.deb
  check "which is $before" test "$(version)" = "$before"
  check 'it runs' active
  check 'on the data of the newer one' test "$(schema)" -gt "$old"
  check 'with the change' within 60 has /api/v1/skips over-versions
}

part_rollback() {
  local began kind
  for kind in broken spoiler; do
    check 'a change is acknowledged' test "$(skip "before-$kind")" = 201
    began=$SECONDS
    quietly guest dpkg -i "/mnt/$kind.deb" || :
    came_back() { guest test -e /var/lib/calendarbot-previous/newer && has /readyz ''; }
    check "a $kind version goes back to the one before by itself" within 240 came_back
    echo "     after $((SECONDS - began)) s"
    check 'it says so' guest_says 'back from' 'journalctl -u calendarbot-rollback -o cat --no-pager'
    check 'with the change' within 60 has /api/v1/skips "before-$kind"
    quietly guest "dpkg -i /mnt/this.deb; systemctl reset-failed"
    check 'the right version puts all in order' active
  done
}

part_remove() {
  quietly guest dpkg -r $name || :
  check 'removed, it does not run' test "$(guest systemctl is-active $name)" != active
  check 'and leaves data and configuration' guest "test -e $data/calendarbot.db -a -e $config"
  quietly guest dpkg -i /mnt/this.deb || :
  check 'installed again, it runs' active
  check 'with the data of before' within 60 has /api/v1/skips over-versions
  quietly guest dpkg -P $name || :
  check 'purged, it leaves nothing' guest "! test -e $data && ! test -e /etc/calendarbot"
}
