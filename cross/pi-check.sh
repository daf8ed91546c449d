#!/usr/bin/env bash
# What must hold of the programs for the Pi: pi-check.sh GNU MUSL. A line a check; ends with 1 when
# one fails.
set -euo pipefail
gnu=$1 musl=$2
bytes_max=$((6 * 1000 * 1000))
# Debian 12's, and so Raspberry Pi OS's.
glibc_max=2.36
failed=0

# check NAME COMMAND...: PASS when the command succeeds; what it prints is part of the line.
check() {
  local name=$1 said result=PASS
  shift
  said=$("$@") || { result=FAIL; failed=1; }
  echo "$result: $name${said:+: $said}"
}

is_small() {
  local bytes
  bytes=$(stat -c %s "$1")
  echo "$bytes bytes, at most $bytes_max"
  ((bytes <= bytes_max))
}

is_for_the_pi() {
  readelf -hW "$1" | grep -q 'Machine: *AArch64' && readelf -hW "$1" | grep -q 'Class: *ELF64'
}

glibc_is_old_enough() {
  local newest
  newest=$(readelf -VW "$1" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
  echo "needs $newest, at most GLIBC_$glibc_max"
  [[ -n $newest && $(printf '%s\n' "$newest" "GLIBC_$glibc_max" | sort -V | tail -n 1) == "GLIBC_$glibc_max" ]]
}

is_static() {
  ! readelf -lW "$1" | grep -q INTERP && ! readelf -dW "$1" | grep -q NEEDED
}

is_position_independent() {
  readelf -hW "$1" | grep -q 'Type: *DYN' && readelf -dW "$1" | grep -q 'Flags:.*PIE'
}

is_bound_at_start() {
  readelf -dW "$1" | grep -qE 'BIND_NOW|Flags:.*NOW'
}

# Relocated data is read-only, the stack and everything that can be written is not executed.
is_hardened() {
  local segments
  segments=$(readelf -lW "$1")
  grep -q 'GNU_RELRO' <<<"$segments" && grep 'GNU_STACK' <<<"$segments" | grep -q ' RW ' &&
    ! grep -E '^ +(LOAD|GNU_STACK)' <<<"$segments" | grep -qE ' (RWE|WE) '
}

# Homes, and wherever this was built.
names_no_folder_of_this_machine() {
  local found
  found=$(strings -n 4 "$1" | grep -E "(/root|/home|/.cargo|/.rustup|$HOME|$PWD)/" | head -n 1 || :)
  echo "${found:0:60}"
  [[ -z $found ]]
}

for program in "$gnu" "$musl"; do
  name=${program#*target/}
  check "$name is for a 64-bit Pi" is_for_the_pi "$program"
  check "$name is small" is_small "$program"
  check "$name has no writable code, no executable stack, read-only relocations" is_hardened "$program"
  check "$name names no folder of this machine" names_no_folder_of_this_machine "$program"
done
check "${gnu#*target/} runs with Debian 12's glibc" glibc_is_old_enough "$gnu"
check "${gnu#*target/} can be anywhere in memory" is_position_independent "$gnu"
check "${gnu#*target/} is bound at its start" is_bound_at_start "$gnu"
check "${musl#*target/} needs no library" is_static "$musl"
exit $failed
