#!/bin/sh
# Has Prometheus' own promtool read what the program at $1 tells, in both formats.
set -eu

program=$(realpath "$1")
folder=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT INT TERM

"$program" --port 0 --data-dir "$folder/data" 2>"$folder/log" &
pid=$!
address=
for _ in $(seq 200); do
  address=$(sed -n 's|.*serves at \(http://[^/]*\)/.*|\1|p' "$folder/log")
  [ -n "$address" ] && curl -sf "$address/readyz" >/dev/null && break
  sleep 0.05
done
[ -n "$address" ] || { cat "$folder/log"; echo "it does not start"; exit 1; }

# Something to count.
for path in / /api/v1/next /api/v1/next /api/v1/events /stats /static/page.css /nothing; do
  curl -s -o /dev/null "$address$path"
done
curl -s -o /dev/null -X POST "$address/api/v1/refresh"
curl -s -o /dev/null -X BREW "$address/"

curl -sf "$address/metrics" >"$folder/text"
promtool check metrics <"$folder/text"
echo "text format 0.0.4: $(grep -c '^# TYPE' "$folder/text") families, clean"

curl -sf -H 'Accept: application/openmetrics-text; version=1.0.0' "$address/metrics" >"$folder/open"
tail -n 1 "$folder/open" | grep -qx '# EOF' || { echo "it does not say where it ends"; exit 1; }
# This command has a parser of OpenMetrics, and wants a time with every sample.
sed "/^#/!s/\$/ $(date +%s)/" "$folder/open" >"$folder/timed"
promtool tsdb create-blocks-from openmetrics "$folder/timed" "$folder/blocks" >"$folder/made" ||
  { cat "$folder/made"; exit 1; }
echo "OpenMetrics 1.0: $(grep -c '^# TYPE' "$folder/open") families, clean"
