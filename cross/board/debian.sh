#!/bin/sh
# Fetches packages of Debian for the Pi's architecture, without a word to the machine's own apt.
#
#   debian.sh FOLDER fetch PACKAGE...   these packages, into FOLDER/debs
#   debian.sh FOLDER closure PACKAGE... with all that they depend on, into FOLDER/apt/cache/archives
#   debian.sh FOLDER depends PACKAGE    the names of what it depends on
#
# BOARD_MIRROR and BOARD_SUITE choose another mirror and release.
set -eu
mkdir -p "$1"
folder=$(realpath "$1")
action=$2
shift 2

apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$folder/debs" \
  "$apt/etc/apt.conf.d" "$apt/etc/preferences.d"
touch "$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
  "${BOARD_MIRROR:-http://deb.debian.org/debian} ${BOARD_SUITE:-bookworm} main" > "$apt/etc/sources.list"
cat > "$apt/conf" <<END
APT { Architecture "arm64"; Architectures { "arm64"; }; Sandbox::User "root"; Install-Recommends "false"; };
Dir { State "$apt"; State::status "$apt/status"; Cache "$apt/cache"; Etc "$apt/etc"; };
Acquire { Languages "none"; Retries "3"; };
Debug::NoLocking "true";
END
export APT_CONFIG="$apt/conf"
# Lists of a day are fresh enough.
[ -n "$(find "$apt/updated" -mmin -1440 2>/dev/null)" ] || {
  apt-get update -qq
  touch "$apt/updated"
}

case $action in
  fetch) cd "$folder/debs" && apt-get download -qq "$@" ;;
  closure) apt-get install -qq --download-only --yes "$@" > /dev/null ;;
  depends) apt-cache depends "$1" | sed -n 's/^ *Depends: //p' ;;
  *) exit 2 ;;
esac
