#!/usr/bin/env bash
# The package on an emulated board: Debian with systemd, what befalls a Pi, and what is made of it.
# A line a check, PASS or FAIL; the parts run one after the other on one disk.
#
#   board.sh FOLDER PACKAGE [PART]...     FOLDER is for what is fetched and made
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
package=$(realpath "$2")
shift 2
. "$(dirname "$0")/lib.sh"
. "$here/parts.sh"
"$here/initrd.sh" "$folder"
"$here/rootfs.sh" "$folder"

# The card; what is brought to the board; and a small disk for what is to be full.
cp --sparse=always "$folder/rootfs" "$work/root"
packages
truncate --size=48M "$work/brought" && truncate --size=8M "$work/small"
PATH=$PATH:/usr/sbin
mkfs.ext4 -q -d "$work/packages" "$work/brought"
mkfs.ext4 -q "$work/small"
# Calendars for it, served here.
mkdir "$work/feeds"
mkfifo "$work/feeds.port"
python3 "$here/feeds.py" "$work/feeds" > "$work/feeds.port" &
others=$!
read -r feeds_port < "$work/feeds.port"

disk() { printf -- '-drive file=%s,format=raw,if=none,id=%s -device virtio-blk-pci,drive=%s ' "$work/$1" "$1" "$1"; }

# Its clock counts instructions while it works, two nanoseconds each, as in the smoke test.
icount=shift=1
power_on() { # further arguments of QEMU...
  local began=$SECONDS
  # shellcheck disable=SC2046
  board_start 'root=/dev/vda' -icount "$icount" $(disk root) $(disk brought) $(disk small) "$@"
  board_booted
  port=$(board_port)
  quietly guest 'systemctl is-system-running --wait; mount -o ro /dev/vdb /mnt'
  echo "     booted in $((SECONDS - began)) s"
}

# From here on, what fails is told and not the end.
set +e
power_on
for part in install ${*:-$parts}; do
  echo "== $part"
  # Each begins with a program that runs.
  case $part in install) ;; *) guest 'systemctl reset-failed calendarbot; systemctl start calendarbot' ;; esac
  before=$failed
  "part_$part"
  [ "$failed" = "$before" ] || guest 'journalctl -u calendarbot -u calendarbot-rollback -n 40 --no-pager -o short-monotonic'
  [ "$part $failed" = "install 0" ] || [ "$part" != install ] || exit 1
done
[ "$failed" = 0 ] && echo 'PASS all of it' || echo "FAIL $failed checks"
exit $((failed > 0))
