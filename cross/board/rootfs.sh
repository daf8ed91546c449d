#!/usr/bin/env bash
# Makes FOLDER/rootfs, an ext4 image of Debian for the Pi's architecture with systemd, in seconds:
# packages are only unpacked. What their scripts would have done and this board needs, is done here.
#
#   rootfs.sh FOLDER
set -euo pipefail
here=$(dirname "$(realpath "$0")")
mkdir -p "$1"
folder=$(realpath "$1")
made=$(cat "$here/rootfs.sh" "$here/debian.sh" | sha256sum)
[ "$(cat "$folder/rootfs.made" 2>/dev/null)" != "$made" ] || exit 0
# Whoever makes it, everything is root's in the image.
[ "$(id -u)" = 0 ] || [ -n "${FAKEROOTKEY:-}" ] || exec fakeroot "$0" "$@"

rm -f "$folder"/apt/cache/archives/*.deb "$folder/rootfs.made"
"$here/debian.sh" "$folder" closure systemd systemd-sysv apt base-files base-passwd bash coreutils curl \
  dash debianutils diffutils dpkg e2fsprogs findutils grep gzip hostname init-system-helpers \
  libc-bin mawk mount openssl procps sed sqlite3 tar tzdata util-linux

root=$folder/rootfs.d
rm -rf "$root"
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
for part in bin sbin lib; do ln -s "usr/$part" "$root/$part"; done
info=$root/var/lib/dpkg/info
mkdir -p "$info"
for deb in "$folder"/apt/cache/archives/*.deb; do
  package=$(dpkg-deb --field "$deb" Package)
  # dpkg shall know what is there: the package under test depends on some of it.
  dpkg-deb --field "$deb" | sed '1a Status: install ok installed' >> "$root/var/lib/dpkg/status"
  echo >> "$root/var/lib/dpkg/status"
  [ "$(dpkg-deb --field "$deb" Multi-Arch)" != same ] || package=$package:arm64
  dpkg-deb --fsys-tarfile "$deb" | tar -x -v -C "$root" --keep-directory-symlink \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
    | sed 's|^\.||; s|/$||; s|^$|/.|' > "$info/$package.list"
done

mkdir -p "$root"/{mnt,opt,srv,media,usr/local/bin,usr/local/sbin}
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
ln -sf dash "$root/usr/bin/sh"
ln -sf mawk "$root/usr/bin/awk"
echo board > "$root/etc/hostname"
echo '127.0.0.1 localhost board' > "$root/etc/hosts"
echo 'nameserver 10.0.2.3' > "$root/etc/resolv.conf"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"

units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants"
# Nobody logs in, and there is no udev: the first system has loaded the drivers.
for unit in getty.target serial-getty@.service console-getty.service systemd-logind.service \
  e2scrub_reap.service systemd-networkd-wait-online.service dpkg-db-backup.timer; do
  ln -sf /dev/null "$units/$unit"
done
cat > "$units/board.service" <<'END'
[Unit]
Description=The shell of the board's checks
[Service]
ExecStart=/bin/sh -c 'port=$$(echo /dev/vport*p1); exec bash 0<>"$$port" 1>&0 2>/dev/null'
WorkingDirectory=/root
Environment=HOME=/root DEBIAN_FRONTEND=noninteractive
KillMode=process
[Install]
WantedBy=multi-user.target
END
ln -s ../board.service "$units/multi-user.target.wants/"

rm -f "$folder/rootfs"
truncate --size=1G "$folder/rootfs"
PATH=$PATH:/usr/sbin mkfs.ext4 -q -d "$root" "$folder/rootfs"
rm -rf "$root"
echo "$made" > "$folder/rootfs.made"
