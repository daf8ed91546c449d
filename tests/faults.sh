#!/bin/sh
# What may befall a database, and what the program makes of it: it stays up, serves what it has,
# says what is wrong, tries again without haste, and is well once the fault is gone. A line a step,
# PASS, FAIL or SKIP. Mounts need root, and what is injected into system calls needs strace.
#
#   tests/faults.sh PROGRAM [CASE]...
#
# The cases run side by side, each in a folder of its own, and take about three minutes.
set -eu
program=$(realpath "$1")
shift
cases=${*:-full full_unread full_start full_power_cut full_first_start read_only_start read_only_damaged read_only eio_once eio_sync images power_cut kill_9 clock_1970}
work=$(mktemp -d)
rounds=25

say() { # PASS|FAIL|SKIP what
  printf '%s %s: %s\n' "$1" "$case" "$2"
  case $1 in FAIL) touch "$work/failed" ;; esac
}

# Says PASS or FAIL of a command.
check() { # what command...
  what=$1
  shift
  if "$@"; then say PASS "$what"; else say FAIL "$what"; fi
}

# True once a command is, for so many seconds at most.
within() { # seconds command...
  left=$(($1 * 5))
  shift
  while ! "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.2
  done
}

# Every event of a generation has its number as title: a mixture would show. A file comes into
# its place whole.
generation() { # number [events]
  awk -v number="$1" -v events="${2:-300}" -v day="$(date -u -d tomorrow +%Y%m%d)" 'BEGIN {
    print "BEGIN:VCALENDAR"
    for (n = 0; n < events; n++)
      printf "BEGIN:VEVENT\nUID:%d\nDTSTART:%sT%02d%02d00Z\nSUMMARY:Generation %04d\nEND:VEVENT\n",
             n, day, n / 60 % 24, n % 60, number
    print "END:VCALENDAR"
  }' > feed.new
  mv feed.new feed.ics
}

# Starts the program and waits until it says where it serves.
start() { # [what runs it...]
  : > log
  "$@" "$program" --port 0 --data-dir "$data" -c calendarbot.toml 2> log &
  pid=$!
  within 5 serves
}
serves() {
  address=$(sed -n 's|.*serves at http://\([0-9.:]*\)/.*|\1|p' log | tail -n 1)
  [ -n "$address" ] || ! alive
  [ -n "$address" ]
}
alive() { kill -0 "$pid" 2>/dev/null; }
stop() { # [signal]
  kill "-${1:-TERM}" "$pid" 2>/dev/null || :
  wait "$pid" 2>/dev/null || :
}

get() { curl -s -m 5 "http://$address$1"; }
refresh() {
  curl -s -o /dev/null -H 'Content-Type: application/json' -d '{}' "http://$address/api/v1/refresh"
}
says() { get "$1" | grep -q "$2"; } # path text
titles() { get '/api/v1/events?limit=500' | grep -o 'Generation [0-9]*' | sort -u; }
shows() { [ "$(titles)" = "Generation 000$1" ]; }
one_generation() { [ "$(titles | wc -l)" = 1 ]; }
lines() { [ "$(wc -l < log)" -le "$1" ]; }
is_stale() { says /api/v1/calendars '"stale":true' && says /stats '"stale":true'; }
# Of a copy: whoever opens the database puts its log into it, and that is the program's to do.
ask() { # folder statement
  rm -rf asked && mkdir asked
  cp "$1"/calendarbot.db* asked/
  sqlite3 asked/calendarbot.db "$2"
}
intact() { [ "$(ask "$data" 'PRAGMA integrity_check')" = ok ]; }
stored() { ask "$data" "SELECT DISTINCT substr(text, instr(text, 'Generation '), 15) FROM component"; }

as_root() { [ "$(id -u)" = 0 ] || { say SKIP "it needs root"; exit 0; }; }
with() { command -v "$1" >/dev/null || { say SKIP "it needs $1"; exit 0; }; }

small_disk() {
  as_root
  mount -t tmpfs -o size=4m tmpfs "$data" 2>/dev/null || { say SKIP "cannot mount"; exit 0; }
}
fill() { dd if=/dev/zero of="$data/fill" bs=4k 2>/dev/null || :; }
free_again() { rm "$data/fill"; }

# The fault has come. What the feed has now cannot be stored, and what it had is shown.
withstands() { # reason
  generation 2
  refresh
  check "the calendar is stale" within 45 is_stale
  check "and says why" says /api/v1/calendars "$1"
  check "what was there is shown" shows 1
  refresh
  sleep 10
  check "it is alive" alive
  check "no hot retry: at most 12 lines in the log" lines 12
}
recovers() {
  refresh
  check "it is well again by itself" within 45 shows 2
  check "and no longer stale" says /api/v1/calendars '"stale":false'
  stop
  check "the file is whole" intact
}
begin() {
  generation 1
  start || { say FAIL "it starts"; exit 0; }
  within 10 says /stats '"refreshes":1'
}

case_full() {
  small_disk
  begin
  check "it begins" shows 1
  fill
  withstands full
  free_again
  recovers
}

# No reader has been opened when the writer has to be closed: nothing holds the log open.
case_full_unread() {
  small_disk
  begin
  fill
  withstands full
  free_again
  recovers
}

# It starts all the same, shows what was stored, says what is wrong, and stores again once it can.
starts_unwritable() { # reason
  check "it starts" start
  check "what was stored is there at once" shows 1
  withstands "$1"
  check "the page says why" says / "$1"
  check "and so does the database" says /stats '"writable":0'
}
case_full_start() {
  small_disk
  begin
  stop
  fill
  starts_unwritable 'I/O error'
  free_again
  recovers
}
# The log is there, and there is no room for its index.
case_full_power_cut() {
  small_disk
  begin
  stop KILL
  rm "$data"/calendarbot.db-shm
  fill
  check "there is a log" [ -s "$data/calendarbot.db-wal" ]
  starts_unwritable 'I/O error'
  free_again
  recovers
}
case_full_first_start() {
  small_disk
  fill
  generation 2
  check "it starts without anything" start
  check "and says that it is not ready" says /api/v1/next '"status":503'
  free_again
  recovers
}
case_read_only_start() {
  small_disk
  begin
  stop
  mount -o remount,ro "$data"
  starts_unwritable 'Read-only'
  mount -o remount,rw "$data"
  recovers
}

# Nothing of it can be read, and it cannot be put aside.
case_read_only_damaged() {
  small_disk
  begin
  stop
  echo 'a diary' > "$data/calendarbot.db"
  mount -o remount,ro "$data"
  check "it starts" start
  check "it says that it has nothing" says /api/v1/next '"status":503'
  refresh
  sleep 10
  check "it is alive" alive
  check "and says why" grep -q 'put the damaged database aside' log
  check "and so does the database" says /stats '"writable":0'
  check "no hot retry: at most 12 lines in the log" lines 12
  mount -o remount,rw "$data"
  generation 2
  refresh
  check "it opens anew" within 45 opened_twice
  recovers
}
# On another port, as the first was any.
opened_twice() { [ "$(grep -c 'serves at' log)" = 2 ] && serves; }

# System calls fail as long as the tracer is there.
inject() { # what
  with strace
  strace -f -qq -o /dev/null -p "$pid" -e "trace=${1%%:*}" -e "inject=$1" 2> strace.log &
  tracer=$!
  within 5 traced || { say SKIP "it cannot be traced"; exit 0; }
}
traced() { ! grep -q 'TracerPid:[[:space:]]*0$' "/proc/$pid/status"; }
heal() {
  kill "$tracer"
  wait "$tracer" 2>/dev/null || :
}

case_read_only() {
  begin
  check "it begins" shows 1
  inject pwrite64,ftruncate,unlink:error=EROFS
  withstands 'I/O error'
  heal
  recovers
}
case_eio_once() {
  begin
  check "it begins" shows 1
  inject pwrite64:error=EIO:when=7
  generation 2
  refresh
  check "a write fails" within 45 grep -q 'I/O error' log
  # Every thread of the program has a seventh write.
  heal
  refresh
  check "the next attempt is a good one" within 100 shows 2
  check "it is alive" alive
  check "at most 12 lines in the log" lines 12
  stop
  check "the file is whole" intact
}
case_eio_sync() {
  begin
  check "it begins" shows 1
  # No page of the log is safe, and none is put into the file.
  inject pwrite64,fsync,fdatasync:error=EIO
  withstands 'I/O error'
  heal
  recovers
}

case_images() {
  with sqlite3
  begin
  check "it begins" shows 1
  stop KILL
  cp -r "$data" good
  rm feed.ics
  for damage in none empty header middle truncated foreign wal_cut wal_garbage wal_gone; do
    rm -r "$data"
    cp -r good "$data"
    # The log put into the file, so that the file's damage is seen.
    case $damage in
      none | wal_*) ;;
      *) sqlite3 "$data/calendarbot.db" 'PRAGMA wal_checkpoint(TRUNCATE)' > /dev/null ;;
    esac
    file=$data/calendarbot.db
    log=$data/calendarbot.db-wal
    size=$(stat -c %s "$file")
    patch() { dd if=/dev/urandom of="$1" bs=1 seek="$2" count="$3" conv=notrunc 2>/dev/null; }
    case $damage in
      empty) : > "$file" ;;
      header) patch "$file" 0 100 ;;
      middle) patch "$file" $((size / 2 / 4096 * 4096)) 4096 ;;
      truncated) truncate -s $((size / 2)) "$file" ;;
      foreign) echo "somebody's diary" > "$file" ;;
      wal_cut) truncate -s -5000 "$log" ;;
      wal_garbage) patch "$log" $(($(stat -c %s "$log") / 2)) 4096 ;;
      wal_gone) rm "$log" ;;
    esac
    check "$damage: ready in 5 s" start
    case $damage in
      none) check "$damage: everything is there" shows 1 ;;
      wal_*) check "$damage: everything or nothing" everything_or_nothing ;;
      *)
        check "$damage: it is kept aside" [ -e "$file.corrupt-1" ]
        check "$damage: it is said" grep -q 'was damaged; it was kept' log
        generation 1
        refresh
        check "$damage: the feed is read anew" within 45 shows 1
        rm feed.ics
        ;;
    esac
    stop
  done
}
everything_or_nothing() { [ "$(titles | wc -l)" -le 1 ] && alive; }

# The files as they are in the middle of writing, which is what a power cut leaves.
case_power_cut() {
  with sqlite3
  begin
  number=1
  for copy in 1 2 3 4 5 6 7 8 9; do
    number=$((number + 1))
    generation "$number" 20000
    stop KILL
    start || { say FAIL "copy $copy: it starts"; exit 0; }
    sleep "0.$copy"
    kill -STOP "$pid"
    rm -rf copy && mkdir copy
    cp "$data"/calendarbot.db* copy/
    kill -CONT "$pid"
    stop KILL
    mv "$data" kept
    mv copy "$data"
    mv feed.ics away.ics
    if start && one_generation; then :; else say FAIL "copy $copy: $(titles | tr '\n' ' ')"; fi
    stop
    intact || say FAIL "copy $copy: it is damaged"
    rm -r "$data"
    mv kept "$data"
    mv away.ics feed.ics
  done
  say PASS "9 copies were started: see above for those that failed"
}

# Skips, hides and sets one thing after another as long as it is answered, and notes what was
# acknowledged. There is room for all of a round.
change_on() { # round
  for number in $(seq 60); do
    id=$1-$number
    case $((number % 3)) in
      0) changed 201 "skip $id" -X POST "http://$address/api/v1/skips/$id" ;;
      1) changed 201 "hide $id" -X POST "http://$address/api/v1/hidden/$id" ;;
      2)
        echo "$id" > asked_last
        changed 200 "set $id" -X PUT -d "{\"color_theme\":\"$id\"}" \
          "http://$address/api/settings/display"
        ;;
    esac || break
  done
}
changed() { # status what argument...
  status=$1 what=$2
  shift 2
  code=$(curl -s -o /dev/null -w '%{http_code}' -m 5 -H 'Content-Type: application/json' "$@") ||
    return 1
  case $code in "$status") echo "$what" >> acknowledged ;; esac
}
# What was set last may be there without having been acknowledged.
all_kept() {
  get /api/v1/skips > skip
  get /api/v1/hidden > hide
  get /api/settings/display > set
  theme=''
  while read -r what id; do
    case $what in
      set) theme=$id ;;
      *) grep -q "\"id\":\"$id\"" "$what" || { echo "$what $id" >> lost; return 1; } ;;
    esac
  done < acknowledged
  [ -z "$theme" ] || grep -q "\"color_theme\": \"\($theme\|$(cat asked_last)\)\"" set ||
    { echo "set $theme" >> lost; return 1; }
}
forget() {
  curl -s -o /dev/null -X DELETE "http://$address/api/skip"
  curl -s -o /dev/null -X PUT -H 'Content-Type: application/json' -d '{"hidden_events":[]}' \
    "http://$address/api/settings/filters"
  : > acknowledged
}

case_kill_9() {
  with sqlite3
  begin
  whole=0 ready=0 sound=0 published=0 shown=0 kept=0 changes=0 changer=''
  : > acknowledged
  for round in $(seq "$rounds"); do
    stop KILL
    wait $changer
    if intact; then sound=$((sound + 1)); fi
    found=$(stored)
    if [ "$(echo "$found" | wc -l)" = 1 ] && [ -n "$found" ]; then whole=$((whole + 1)); fi
    if [ "$found" = "Generation $(printf %04d "$round")" ]; then published=$((published + 1)); fi
    generation $((round + 1)) 20000
    if start; then ready=$((ready + 1)); fi
    if one_generation; then shown=$((shown + 1)); fi
    if [ "$round" -gt 1 ] && all_kept; then kept=$((kept + 1)); fi
    changes=$((changes + $(wc -l < acknowledged)))
    forget
    change_on "$round" &
    changer=$!
    # Another moment of the refresh each time.
    sleep "0.$(printf %02d $((round * 2)))"
  done
  stop KILL
  wait $changer
  if start && all_kept; then kept=$((kept + 1)); fi
  changes=$((changes + $(wc -l < acknowledged)))
  stop
  check "$sound of $rounds files were whole" [ "$sound" = "$rounds" ]
  check "$ready of $rounds were ready in 5 s" [ "$ready" = "$rounds" ]
  check "$whole of $rounds held one whole generation ($published the newest)" [ "$whole" = "$rounds" ]
  check "$shown of $rounds showed one generation" [ "$shown" = "$rounds" ]
  check "$kept of $rounds had every change that was acknowledged" [ "$kept" = "$rounds" ]
  check "these were $changes" [ "$changes" -gt "$rounds" ]
}

case_clock_1970() {
  with faketime
  begin
  check "it begins" shows 1
  stop
  rm feed.ics
  # faketime itself would stay as a parent, which signals end in the place of the program.
  library=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
  check "it starts" start env LD_PRELOAD="$library" FAKETIME='@1970-01-01 00:10:00' \
    FAKETIME_DONT_FAKE_MONOTONIC=1
  check "nothing has expired" [ "$(ask "$data" 'SELECT count(*) FROM occurrence')" = 300 ]
  check "it answers" says /healthz alive
  check "it is 1970 for it" says /api/v1/next '"now":"1970'
  check "and it says so" says /api/v1/next clock
}

run() (
  case=$1
  mkdir "$work/$case" && cd "$work/$case"
  data=$work/$case/data pid='' tracer=''
  mkdir "$data"
  printf '[[feeds]]\nname = "a"\nfile = "%s"\n' "$PWD/feed.ics" > calendarbot.toml
  finish() {
    [ -z "$tracer" ] || kill "$tracer" 2>/dev/null || :
    [ -z "$pid" ] || stop KILL
    ! mountpoint -q "$data" || umount "$data"
  }
  trap finish EXIT
  "case_$case"
)

for name in $cases; do run "$name" & done
wait
[ ! -e "$work/failed" ] || { echo "FAIL: see above; logs are in $work"; exit 1; }
rm -r "$work"
echo PASS
