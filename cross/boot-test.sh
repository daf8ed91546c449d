#!/usr/bin/env bash
# The package where systemd runs: boots the Debian of package-test.sh in a container, as root:
# boot-test.sh BINARY FOLDER. On this machine's processor; the emulated board has the Pi's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "SKIP: this needs root: sudo make package-boot"; exit 0; }
binary=$(realpath "$1") folder=$(realpath -m "$2")
root=$folder/boot
trap 'rm -rf --one-file-system "$root"' EXIT
[ -e "$folder/debian.tar" ] || { echo "first: make package-test"; exit 1; }
rm -rf "$root" && mkdir -p "$root"
tar -xf "$folder/debian.tar" -C "$root" --exclude='./dev/*'

# The newer version is the same and a byte, the broken one ends at once, the mute one never says
# that it is ready.
mkdir "$root/packages"
cp "$binary" "$folder/newer"
printf '\0' >>"$folder/newer"
printf '#!/bin/sh\nexit 1\n' >"$folder/broken"
printf '#!/bin/sh\n[ "$1" = serve ] || exit 0\nexec sleep 600\n' >"$folder/mute"
arch=$(dpkg --print-architecture)
cross/debian/build "$binary" 1.0 "$root/packages" >/dev/null
cross/debian/build "$folder/newer" 1.1 "$root/packages" >/dev/null
DEB_ARCH=$arch cross/debian/build "$folder/broken" 1.2 "$root/packages" >/dev/null
DEB_ARCH=$arch cross/debian/build "$folder/mute" 1.3 "$root/packages" >/dev/null
cp cross/boot-test-inside.sh "$root/packages/test"
cat >"$root/etc/systemd/system/package-test.service" <<'END'
[Unit]
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/packages/test
StandardOutput=file:/packages/output
StandardError=append:/packages/output
END
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -s ../package-test.service "$root/etc/systemd/system/default.target.wants/"
timeout --foreground --kill-after=10 900 systemd-nspawn --quiet --register=no --keep-unit --private-network \
    --console=pipe --directory="$root" --boot >"$folder/boot.log" 2>&1 </dev/null || :
cat "$root/packages/output" || tail -n 20 "$folder/boot.log"
grep -q '^DONE$' "$root/packages/output" && ! grep -q '^FAIL' "$root/packages/output"
