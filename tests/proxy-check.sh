#!/bin/sh
# Runs docs/nginx.conf in front of the program ($1), has fifty displays ask through it, and prints
# how many of their requests reach the program.
set -eu

program=$(realpath "$1")
config=$(realpath "$(dirname "$0")/../docs/nginx.conf")
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
# nginx answers as somebody else.
chmod 755 "$folder"
pid=
proxy=
trap 'for p in $pid $proxy; do kill "$p" || :; done; wait; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
failed=0

check() { # NAME CONDITION...
  name=$1
  shift
  if "$@"; then echo "PASS: $name"; else echo "FAIL: $name"; failed=1; fi
}

echo 'trusted_proxies = ["127.0.0.1"]' >"$folder/calendarbot.toml"
"$program" -c "$folder/calendarbot.toml" --port 0 --data-dir "$folder/data" 2>"$folder/log" &
pid=$!
address=
for _ in $(seq 200); do
  address=$(sed -n 's|.*serves at http://\([^/]*\)/.*|\1|p' "$folder/log")
  [ -n "$address" ] && curl -sf -o /dev/null "http://$address/readyz" && break
  sleep 0.05
done
[ -n "$address" ] || { cat "$folder/log"; echo "it does not start"; exit 1; }

# The configuration as it stands, but for its port and folders. Ports are tried until one is free.
for port in $(seq 20080 97 29999); do
  sed -e "s|server 127.0.0.1:8080|server $address|" -e "s|listen 80|listen 127.0.0.1:$port|" \
    -e "s|/var/cache/nginx/calendarbot|$folder/cache|" "$config" >"$folder/site.conf"
  cat >"$folder/nginx.conf" <<END
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events {}
http { access_log off; client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
fastcgi_temp_path $folder/f; uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
include $folder/site.conf; }
END
  nginx -c "$folder/nginx.conf" -g 'daemon off;' 2>/dev/null &
  proxy=$!
  site=http://127.0.0.1:$port
  for _ in $(seq 40); do
    kill -0 "$proxy" 2>/dev/null && ! curl -s -o /dev/null "$site/readyz" || break
    sleep 0.05
  done
  kill -0 "$proxy" 2>/dev/null && break
  proxy=
done
[ -n "$proxy" ] || { echo "nginx does not start"; exit 1; }

asked() {
  curl -s "http://$address/metrics" | awk '/^calendarbot_http_requests_total[{ ]/ { n += $2 } END { print n + 0 }'
}

curl -s "$site/" >"$folder/page"
check "the page comes through" grep -q '<main' "$folder/page"
before=$(asked)
hits=0
all=0
for path in / /week /api/v1/next /api/whats-next; do
  # What is behind # is not sent: fifty displays ask for the same.
  curl -s -Z --parallel-max 50 -o /dev/null -w '%header{x-cache}\n' "$site$path#[1-500]" >"$folder/answers" 2>/dev/null
  hits=$((hits + $(grep -c "^HIT\|^UPDATING\|^STALE" "$folder/answers" || :)))
  all=$((all + $(wc -l <"$folder/answers")))
done
reached=$(($(asked) - before))
echo "      $hits of $all requests answered by nginx ($((hits * 1000 / all / 10)).$((hits * 1000 / all % 10)) %); $reached reached calendarbot"
check "at least 99 of 100 are answered by nginx" [ $((hits * 100)) -ge $((all * 99)) ]
check "statistics are never kept" [ -z "$(curl -s -o /dev/null -w '%header{x-cache}' "$site/stats" | grep HIT)" ]
curl -s -o /dev/null "$site/stats"
check "nor the second time" [ "$(curl -s -o /dev/null -w '%header{x-cache}' "$site/stats")" = MISS ]
check "changes are told at once" sh -c "curl -s -N -m 2 '$site/events' | grep -q ."
check "the operator's routes are not for it" [ "$(curl -s -o /dev/null -w '%{http_code}' "$site/api/admin/config")" = 403 ]
kill "$pid"
wait "$pid" || :
pid=
# Longer than it is kept.
sleep 6
check "without calendarbot the last page stays" sh -c "curl -sf '$site/' | grep -q '<main'"
exit $failed
