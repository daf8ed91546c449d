#!/bin/sh
# Makes FOLDER/vmlinuz and FOLDER/initrd, of Debian's kernel and busybox for the Pi's architecture:
# a system in memory that loads the drivers of QEMU's devices and leaves the rest to `init`.
#
#   initrd.sh FOLDER
set -eu
here=$(dirname "$(realpath "$0")")
mkdir -p "$1"
folder=$(realpath "$1")
# Made from the same script: nothing to do.
made=$(cat "$here/initrd.sh" "$here/init" | sha256sum)
[ "$(cat "$folder/initrd.made" 2>/dev/null)" != "$made" ] || exit 0

# The meta package names the newest one. Debian's kernel for clouds is its usual one without the
# drivers of real hardware.
kernel=$("$here/debian.sh" "$folder" depends linux-image-cloud-arm64 | grep '^linux-image-')
rm -rf "$folder/debs" "$folder/initrd.d" "$folder/unpacked"
"$here/debian.sh" "$folder" fetch "$kernel" busybox-static
for deb in "$folder"/debs/*.deb; do dpkg-deb -x "$deb" "$folder/unpacked"; done
cp "$folder"/unpacked/boot/vmlinuz-* "$folder/vmlinuz"

root=$folder/initrd.d
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/modules" "$root/root"
cp "$folder/unpacked/bin/busybox" "$root/bin/"
ln -s busybox "$root/bin/sh"
cp "$here/init" "$root/init"
chmod 755 "$root/init"
# In the order that they need each other; what the kernel has built in is no file.
for module in failover net_failover virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev \
  virtio_pci virtio_net virtio_blk virtio_console virtio-rng; do
  find "$folder/unpacked/lib/modules" -name "$module.ko" -exec cp {} "$root/modules/" \;
  [ ! -f "$root/modules/$module.ko" ] || echo "$module" >> "$root/modules/order"
done
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) > "$folder/initrd"
rm -rf "$folder/unpacked" "$root"
echo "$made" > "$folder/initrd.made"
