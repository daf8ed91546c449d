#!/bin/sh
# Has schemathesis ($2) ask the program ($1) everything that its own description allows, and some
# that it does not: with the demo calendar, and with one that is broken beside one that is gone.
set -eu

program=$(realpath "$1")
schemathesis=$(realpath "$2")
config=$(realpath "$(dirname "$0")/schemathesis.toml")
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" || :; wait; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
# Schemathesis leaves its notes where it runs.
cd "$folder"

cat >"$folder/broken.ics" <<'EOF'
BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:good
DTSTART:20260105T080000Z
RRULE:FREQ=DAILY
SUMMARY:Every day <b>
END:VEVENT
BEGIN:VEVENT
UID:bad
SUMMARY:Without a start
END:VEVENT
BEGIN:VEVENT
UID:zone
DTSTART;TZID=Nowhere:20260105T090000
RRULE:FREQ=SECONDLY
SUMMARY:Too often
END:VEVENT
END:VCALENDAR
EOF
cp "$folder/broken.ics" "$folder/gone.ics"
printf '' >"$folder/demo.toml"
cat >"$folder/broken.toml" <<EOF
[[feeds]]
name = "broken"
file = "$folder/broken.ics"
[[feeds]]
name = "gone"
file = "$folder/gone.ics"
EOF

for name in demo broken; do
  # A calendar that comes back with an earlier configuration was never read again.
  spared=
  [ "$name" = demo ] || spared='--exclude-path /api/admin/config'
  "$program" -c "$folder/$name.toml" --port 0 --data-dir "$folder/$name" 2>"$folder/log" &
  pid=$!
  address=
  for _ in $(seq 200); do
    address=$(sed -n 's|.*serves at \(http://[^/]*\)/.*|\1|p' "$folder/log")
    # Of a calendar that was never read there is nothing but 503, and rightly so.
    [ -n "$address" ] && curl -sf -o /dev/null "$address/readyz" &&
      { [ "$name" = demo ] || curl -sf -o /dev/null "$address/feeds/gone.ics"; } && break
    sleep 0.05
  done
  [ -n "$address" ] || { cat "$folder/log"; echo "it does not start"; exit 1; }
  [ "$name" = demo ] || rm "$folder/gone.ics"
  # A stream has no end, a page of JavaScript no schema, and a configuration that is replaced
  # another port.
  "$schemathesis" --config-file "$config" --no-color run "$address/api/v1/openapi.json" \
    --seed 1 --max-examples 40 --max-time 80 --request-timeout 5 --generation-database none --warnings off \
    --exclude-path /events --exclude-path '/static/{file}' $spared \
    --exclude-checks unsupported_method,positive_data_acceptance,negative_data_rejection
  kill "$pid"
  wait "$pid" 2>/dev/null || :
  pid=
done
