#!/usr/bin/env bash
# What the package does in a Debian where systemd does not run: package-test.sh BINARY FOLDER.
# As root: it makes a Debian in FOLDER (once; the archive is kept) and installs there. systemd is
# played by a script where the way back asks it; the emulated board has the real one.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "SKIP: this needs root: sudo make package-test"; exit 0; }
# What is mounted goes with the namespace, and what runs in it, too.
[ "${1:-}" = --inside ] || exec unshare --mount --pid --fork --kill-child "$0" --inside "$@"
binary=$(realpath "$2") folder=$(realpath -m "$3")
mkdir -p "$folder"
root=$folder/root
failed=0

cleanup() {
    umount -l "$root/proc" "$root/dev" 2>/dev/null || :
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT

if ! [ -e "$folder/debian.tar" ]; then
    echo "making a Debian; a minute"
    mmdebstrap --quiet --variant=minbase --include=systemd bookworm "$folder/debian.part.tar"
    mv "$folder/debian.part.tar" "$folder/debian.tar"
fi
rm -rf "$root" && mkdir "$root"
tar -xf "$folder/debian.tar" -C "$root" --exclude=./dev/*
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

# check WORDS COMMAND…: the command ends well.
check() {
    local words=$1
    shift
    if "$@" >"$folder/output" 2>&1; then
        echo "PASS: $words"
    else
        echo "FAIL: $words"
        sed 's/^/      /' "$folder/output" | tail -n 20
        failed=1
    fi
}
matches() {
    local pattern=$1
    shift
    "$@" 2>&1 | tee /dev/stderr | grep -E "$pattern" >/dev/null
}
fails() {
    ! "$@"
}
# The same, and what it says matches.
says() {
    check "$1" matches "${@:2}"
}
refuses() {
    check "$1" fails "${@:2}"
}
there() {
    chroot "$root" env PATH="$path" DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" </dev/null
}
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
as_user() {
    there setpriv --reuid calendarbot --regid calendarbot --init-groups "$@"
}
same() {
    cmp "$root/$1" "$2"
}

# A later version is the same program and a byte; its package is made by the same script.
cp "$binary" "$folder/older"
binary=$folder/older
cp "$binary" "$folder/newer"
printf '\0' >>"$folder/newer"
cp "$folder/newer" "$folder/newest"
printf '\0' >>"$folder/newest"
export SOURCE_DATE_EPOCH=1700000000
old=$(cross/debian/build "$binary" 1.0 "$folder")
new=$(cross/debian/build "$folder/newer" 1.1 "$folder")
newest=$(cross/debian/build "$folder/newest" 1.2 "$folder")
mkdir "$root/packages"
cp "$old" "$new" "$newest" "$root/packages/"
old=/packages/${old##*/} new=/packages/${new##*/} newest=/packages/${newest##*/}
again=$(cross/debian/build "$binary" 1.0 "$folder/again")
check "the same binary makes the same package" cmp "$again" "$root$old"

config=/etc/calendarbot/calendarbot.toml
kept=/var/lib/calendarbot-previous

says "install: tells the address and /setup" 'http://127.0.0.1:8080/setup' there dpkg -i "$old"
check "install: the preset enables the service" \
    test -h "$root/etc/systemd/system/multi-user.target.wants/calendarbot.service"
refuses "install: the socket is not enabled" \
    test -e "$root/etc/systemd/system/sockets.target.wants/calendarbot.socket"
says "install: the configuration is the program's to write" '^calendarbot:calendarbot 640$' \
    there stat -c '%U:%G %a' $config
says "install: the credentials are root's" '^root:root 700$' \
    there stat -c '%U:%G %a' /etc/calendarbot/credentials
says "install: the configuration is a conffile" "$config" there dpkg-query -W -f '${Conffiles}' calendarbot
says "install: the user cannot log in" nologin there getent passwd calendarbot
says "the program takes the configuration" 'the demo calendar is served' as_user calendarbot check -c $config

# What the unit would do: StateDirectory, and the program.
there install -d -o calendarbot -g calendarbot -m 700 /var/lib/calendarbot
run_for_data() {
    local place=STATE_DIRECTORY=/var/lib/calendarbot
    as_user env $place timeout 3 calendarbot serve -c $config --port 0 || :
    as_user env $place calendarbot next -c $config
}
check "the program runs and stores data" run_for_data
cp "$root/var/lib/calendarbot/calendarbot.db" "$folder/before.db"

echo '# a line of mine' >>"$root$config"
check "upgrade, with a configuration that was changed: nothing is asked" there dpkg -i "$new"
check "upgrade: the new program" same /usr/bin/calendarbot "$folder/newer"
says "upgrade: the line is there" mine cat "$root$config"
says "upgrade: the owner stays" '^calendarbot:calendarbot 640$' there stat -c '%U:%G %a' $config
check "upgrade: the data are there" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"
check "upgrade: the previous program is kept" same $kept/previous/calendarbot "$binary"
says "upgrade: its configuration is kept, for root alone" '^root:root 600$' \
    there stat -c '%U:%G %a' $kept/previous/calendarbot.toml
says "upgrade: its data are kept, for root alone" '^root:root 600$' \
    there stat -c '%U:%G %a' $kept/previous/data.tar
says "list: names it" 'previous: 1.0' there calendarbot-rollback --list
check "the same version once more" there dpkg -i "$new"
says "the same version once more: what is kept stays" 'previous: 1.0' there calendarbot-rollback --list

says "rollback" 'back from 1.1 to 1.0' there calendarbot-rollback --to-previous
check "rollback: the previous program is in place" same /usr/bin/calendarbot "$binary"
says "rollback: the configuration stays, since it is taken" mine cat "$root$config"
says "rollback: once" 'is back already' there bash -c '! calendarbot-rollback --to-previous'
says "rollback: leaves a note" 'back from 1.1 to 1.0' cat "$root$kept/note"
says "forward" 'forward from 1.0 to 1.1' there calendarbot-rollback --forward
check "forward: the newer program is in place" same /usr/bin/calendarbot "$folder/newer"
refuses "forward: once" there calendarbot-rollback --forward

echo 'from_the_future = 1' >>"$root$config"
echo 'newer data' >"$root/var/lib/calendarbot/calendarbot.db"
says "rollback --with-data" 'the data are those of before' there calendarbot-rollback --to-previous --with-data
says "a configuration that is not taken makes room for the kept one" '1.0|mine' cat "$root$config"
refuses "and is not lost with it" grep from_the_future "$root$config"
says "it is beside the newer version" from_the_future cat "$root$kept/newer/calendarbot.toml"
check "the data of before are back" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"
says "the data belong to the program" '^calendarbot:calendarbot' \
    there stat -c '%U:%G' /var/lib/calendarbot/calendarbot.db

check "upgrade after a rollback" there dpkg -i "$newest"
says "upgrade after a rollback: what ran is what is kept" 'previous: 1.0' there calendarbot-rollback --list
check "upgrade after a rollback: so says the program" same $kept/previous/calendarbot "$binary"

# systemd, as far as the way back asks it: starts fail while there are lines in /starts.
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/local/bin/systemctl" <<'END'
#!/bin/sh
echo "$*" >>/systemctl
case $1 in
show) case $* in *NRestarts*) cat /restarts ;; *) cat /status ;; esac ;;
start) [ ! -s /starts ] || { sed -i 1d /starts; exit 1; } ;;
esac
END
printf '#!/bin/sh\necho "sleep $*" >>/systemctl\n' >"$root/usr/local/bin/sleep"
chmod +x "$root/usr/local/bin/systemctl" "$root/usr/local/bin/sleep"
automatic() {
    echo "$1" >"$root/status"
    echo "${3:-3}" >"$root/restarts"
    : >"$root/starts"
    for ((i = 0; i < $2; i++)); do echo fail >>"$root/starts"; done
    : >"$root/systemctl"
    there calendarbot-rollback --automatic
}
says "automatic: starts by hand are no failures" 'started again' automatic 0 0 2
check "automatic: so the program stays" same /usr/bin/calendarbot "$folder/newest"
echo 'newest data' >"$root/var/lib/calendarbot/calendarbot.db"
says "automatic: starts that fail bring back the program, and the data when it needs them" \
    'back from 1.2 to 1.0' automatic 1 1
check "automatic: the previous program" same /usr/bin/calendarbot "$binary"
check "automatic: the data of before" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"
says "automatic: once, then it waits and tries again" 'nothing to go back to' automatic 1 0
says "automatic: waited" '^sleep 300$' cat "$root/systemctl"
there calendarbot-rollback --forward >/dev/null
says "automatic: the data stay when the program gets ready with them" 'back from 1.2' automatic 1 0
refuses "automatic: so no data were put aside" test -e "$root$kept/newer/data.tar"
there calendarbot-rollback --forward >/dev/null

# A version that has served well is in the history, as the program would have kept it.
good=/var/lib/calendarbot/configurations/000001.toml
as_user mkdir -p -m 700 "${good%/*}"
{ echo "# calendarbot 1.0, 2026-01-01T00:00:00Z, good, $config"; cat "$root$config"; } >"$root$good"
there chown calendarbot: $good
echo 'port = "x"' >>"$root$config"
says "automatic: a wrong configuration makes room for the last good one" 'as of 2026-01-01' automatic 78 0
refuses "automatic: the wrong line is gone" grep '"x"' "$root$config"
check "automatic: the program stays" same /usr/bin/calendarbot "$folder/newest"
says "automatic: the configuration is the program's still" '^calendarbot:calendarbot 640$' \
    there stat -c '%U:%G %a' $config
rm "$root/var/lib/calendarbot/configurations/"*
echo 'port = "x"' >>"$root$config"
says "automatic: without a good one it says what is wrong" 'calendarbot check' \
    there bash -c '! calendarbot-rollback --automatic'
check "automatic: and leaves the program" same /usr/bin/calendarbot "$folder/newest"
sed -i '/"x"/d' "$root$config"

# Whoever has taken over the program leaves links to what only root may read or write.
rm "$root$config"
ln -s /etc/shadow "$root$config"
there chown -h calendarbot: $config
rm -r "$root/run/systemd/system" "$root/usr/local/bin/systemctl" "$root/usr/local/bin/sleep"
there dpkg --force-confold -i "$old" >/dev/null 2>&1 || :
refuses "a link in the place of the configuration leads root nowhere" grep -r 'root:' --include='*.toml' "$root$kept/"
says "nor is what it leads to anybody else's" '^root:shadow 640$' there stat -c '%U:%G %a' /etc/shadow
rm -f "$root$config"
cp cross/debian/calendarbot.toml "$root$config"
there chown calendarbot: $config

check "downgrade" there dpkg -i "$old"
check "downgrade: the old program" same /usr/bin/calendarbot "$binary"
check "downgrade: the data are there" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"

check "remove" there dpkg -r calendarbot
refuses "remove: the program is gone" test -e "$root/usr/bin/calendarbot"
check "remove: the configuration stays" test -e "$root$config"
check "remove: the data stay" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"
check "install again" there dpkg -i "$old"
check "install again: the data are those" same /var/lib/calendarbot/calendarbot.db "$folder/before.db"
check "purge" there dpkg -P calendarbot
for place in /etc/calendarbot /var/lib/calendarbot $kept \
    /etc/systemd/system/multi-user.target.wants/calendarbot.service; do
    refuses "purge: $place is gone" bash -c '[ -e "$1" ] || [ -h "$1" ]' bash "$root$place"
done
exit $failed
