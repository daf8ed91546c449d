# Sourced by the checks: the emulated board, a word to its shell, and what is said of it.
# A Pi Zero 2W as far as QEMU knows one: one Cortex-A53 (that is enough for one thread), 512 MB.

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
qemu=
# What else is to be ended.
others=
failed=0

say() { # PASS|FAIL|SKIP what
  printf '%s %s\n' "$1" "$2"
  [ "$1" != FAIL ] || failed=$((failed + 1))
}
# Says PASS or FAIL of a command.
check() { # what command...
  local what=$1
  shift
  if "$@"; then say PASS "$what"; else say FAIL "$what"; fi
}
at_most() { # what value bound unit
  check "$1: $2${4:+ $4}, at most $3" awk "BEGIN { exit !(\"$2\" != \"\" && \"$2\" + 0 <= $3) }"
}
# True once a command is, for so many seconds at most and as long as the board runs.
within() { # seconds command...
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] && board_runs || return 1
    sleep 0.2
  done
}

# Starts the board; its console goes to $work/console.
board_start() { # kernel arguments, further arguments of QEMU...
  local arguments=$1
  shift
  # Names of their own for a board that starts again: nothing old is left in them.
  ports=$(mktemp -d "$work/ports.XXXX")
  mkfifo "$ports/shell.in" "$ports/shell.out" "$ports/monitor.in" "$ports/monitor.out"
  exec 3<> "$ports/shell.in" 4<> "$ports/shell.out" 5<> "$ports/monitor.in" 6<> "$ports/monitor.out"
  qemu-system-aarch64 -M virt -cpu cortex-a53 -smp 1 -m 512 -display none -nodefaults -no-reboot \
    -kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
    -append "console=ttyAMA0 loglevel=4 nokaslr kpti=0 mitigations=off panic=1 $arguments" \
    -chardev file,id=console,path="$work/console",append=on -serial chardev:console \
    -chardev pipe,id=monitor,path="$ports/monitor" -mon chardev=monitor,mode=readline \
    -chardev pipe,id=shell,path="$ports/shell" -device virtio-serial-pci \
    -device virtserialport,chardev=shell,name=board -device virtio-rng-pci \
    -netdev user,id=net,hostfwd=tcp:127.0.0.1:0-:8080 -device virtio-net-pci,netdev=net,id=card,romfile= \
    "$@" 3>&- 4>&- 5>&- 6>&- > "$work/qemu" 2>&1 &
  qemu=$!
}
board_runs() { [ -n "$qemu" ] && kill -0 "$qemu" 2>/dev/null; }
board_stop() {
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :
  [ -z "$qemu" ] || wait "$qemu" 2>/dev/null || :
  qemu=
}
# Whatever happens, nothing stays.
board_end() {
  board_stop
  [ -z "$others" ] || kill "$others" 2>/dev/null || :
  rm -rf "$work"
}
trap board_end EXIT
trap 'exit 1' INT TERM

# What the board's root says to a command, and its status; 124 when nothing comes within $patience
# seconds.
patience=120
guest() { # command...
  local mark="@$RANDOM$RANDOM" line rest
  printf '(\n%s\n) </dev/null 2>&1; echo "%s:$?"\n' "$*" "$mark" >&3
  while IFS= read -r -t "$patience" line <&4; do
    case $line in
      *"$mark:"*)
        rest=${line%%"$mark:"*}
        [ -z "$rest" ] || printf '%s\n' "$rest"
        return "${line##*"$mark:"}"
        ;;
    esac
    printf '%s\n' "$line"
  done
  return 124
}
quietly() { "$@" > /dev/null 2>&1; }
board_booted() {
  within 240 board_up || { tail -n 40 "$work/console" "$work/qemu" && say FAIL 'it boots' && exit 1; }
}
# The shell answers once the system is up. What it has read of an earlier try, it answers later.
board_up() { patience=5 quietly guest true; }

monitor() { # command: what QEMU says to it
  local line
  printf '%s\n' "$1" >&5
  while IFS= read -r -t 1 line <&6; do printf '%s\n' "$line"; done
}
# The port of this machine that is the board's 8080: the first free one, chosen by the system.
board_port() { monitor 'info usernet' | awk '/HOST_FORWARD/ { print $4; exit }'; }
get() { curl -s -m 20 "http://127.0.0.1:$port$1"; }
has() { get "$1" | grep -F "$2" > /dev/null; } # path text
status() { curl -s -m 20 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port$1"; }
