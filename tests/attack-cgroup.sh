#!/bin/sh
# Besieges the program inside a memory cgroup of exactly its budget: no OOM kill, and a peak of at
# most nine tenths. What the cgroup counts is everything: pages of the binary and of files, socket
# buffers, page tables. It needs root and a memory controller; without them it says so and passes.
#
#   tests/attack-cgroup.sh PROGRAM MEBIBYTES
set -eu
program=$1
mebibytes=$2
budget=$((mebibytes * 1024 * 1024))
group=calendarbot-attack-$$

skip() {
  echo "SKIP: $1"
  exit 0
}

[ "$(id -u)" = 0 ] || skip "a cgroup can only be made by root"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  grep -qw memory /sys/fs/cgroup/cgroup.controllers || skip "there is no memory controller"
  echo +memory > /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || skip "memory cannot be delegated"
  folder=/sys/fs/cgroup/$group
  limit=memory.max peak=memory.peak
  kills() { awk '$1 == "oom_kill" { print $2 }' "$folder/memory.events"; }
elif [ -d /sys/fs/cgroup/memory ]; then
  folder=/sys/fs/cgroup/memory/$group
  limit=memory.limit_in_bytes peak=memory.max_usage_in_bytes
  kills() { awk '$1 == "oom_kill" { print $2 }' "$folder/memory.oom_control"; }
else
  skip "there is no memory controller"
fi
mkdir "$folder" 2>/dev/null || skip "cannot make $folder"
data=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
  [ -z "$pid" ] || wait "$pid" 2>/dev/null || :
  rmdir "$folder" || :
  rm -r "$data"
}
trap finish EXIT
echo "$budget" > "$folder/$limit" 2>/dev/null || skip "cannot set a limit"

# More in it than one answer may hold.
awk 'BEGIN {
  print "BEGIN:VCALENDAR"
  for (n = 0; n < 40; n++)
    printf "BEGIN:VEVENT\nUID:%d\nDTSTART:20240101T%02d%02d00Z\nRRULE:FREQ=DAILY\n" \
           "SUMMARY:Meeting %d\nLOCATION:%0200d\nEND:VEVENT\n", n, n / 2, n % 2 * 30, n, n
  print "END:VCALENDAR"
}' > "$data/full.ics"
printf '[[feeds]]\nname = "full"\nfile = "%s"\n' "$data/full.ics" > "$data/calendarbot.toml"

# The shell enters the cgroup and becomes the program, so that nothing else is in it. A file that
# is in the page cache already is charged to whoever read it first: the cgroup gets its own copy.
sh -c 'echo $$ > "$1/cgroup.procs"; cp "$2" "$3"; shift 2; exec "$@"' sh "$folder" \
  "$program" "$data/calendarbot" --memory-budget "${mebibytes}MiB" --port 0 --data-dir "$data" \
  -c "$data/calendarbot.toml" 2> "$data/log" &
pid=$!
address=
for _ in $(seq 100); do
  address=$(sed -n 's|.*serves at http://\([0-9.:]*\)/.*|\1|p' "$data/log")
  [ -z "$address" ] || break
  sleep 0.1
done
[ -n "$address" ] || { cat "$data/log"; echo "FAIL: it did not start"; exit 1; }

# The raw cases and the sieges, against the program in the cgroup.
status=0
ulimit -n 4096
CALENDARBOT_UNDER_ATTACK="$address,$pid" cargo nextest run --locked --release --no-capture \
  --run-ignored all -E 'test(/^attack::/) + test(=corpus::against_a_running_program)' || status=1

echo "peak $(cat "$folder/$peak") of $budget bytes, $(kills) killed"
grep -E '^(cache|rss|anon|file|kernel|sock|mapped_file|kernel_stack) ' "$folder/memory.stat" || :
kill -0 "$pid" 2>/dev/null || { echo "FAIL: it is dead"; exit 1; }
[ "$(kills)" = 0 ] || { echo "FAIL: the kernel killed it"; exit 1; }
[ "$(cat "$folder/$peak")" -le $((budget * 9 / 10)) ] || { echo "FAIL: over nine tenths"; exit 1; }
[ "$status" = 0 ] || { echo "FAIL: see above"; exit 1; }
echo "PASS"
