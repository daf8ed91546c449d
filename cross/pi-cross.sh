#!/usr/bin/env bash
# pi-cross.sh TARGET: `cross build --release` and `cross test` for the Pi as people run them, with
# what they need, and in TARGET/pi/cross.log what was said. Docker is started where none runs, and
# stopped again. Where no registry answers, the image to begin with is made by mmdebstrap.
set -euo pipefail
target=$1
tools=$target/pi
triple=aarch64-unknown-linux-gnu
cross_version=0.2.5
# cross 0.2.5 takes the words "(active, default)" behind a toolchain for a part of its name, and adds
# that anew over the one that is there: it gets a rustup of its own, which cannot harm anybody's, and
# in it a toolchain that is not the default. It is not to be called without one, not even for its version.
toolchain=${CROSS_TOOLCHAIN:-1.95.0}
# What `cross test` runs: pure cores, and the program itself. All of it is `make pi-test`'s.
tests=(--lib -- ical:: calendar:: http::frame pipeline:: health::)

mkdir -p "$tools"
log=$tools/cross.log
: >"$log"

dockerd=
finish() {
  [[ -z $dockerd ]] || { kill "$dockerd" 2>/dev/null && wait "$dockerd" || :; }
}
trap finish EXIT

run() {
  echo "\$ $*" | tee -a "$log"
  local begun=$SECONDS
  if "$@" >>"$log" 2>&1; then
    echo "PASS: $((SECONDS - begun)) s" | tee -a "$log"
  else
    echo "FAIL: $((SECONDS - begun)) s; the end of $log:" | tee -a "$log"
    tail -n 20 "$log"
    exit 1
  fi
}

if ! docker info >/dev/null 2>&1; then
  [[ $(id -u) == 0 ]] || { echo "Docker does not run: start it, or be root"; exit 1; }
  dockerd >"$tools/dockerd.log" 2>&1 &
  dockerd=$!
  for _ in {1..60}; do
    docker info >/dev/null 2>&1 && break
    kill -0 "$dockerd" 2>/dev/null || { tail -n 5 "$tools/dockerd.log"; exit 1; }
    sleep 0.5
  done
fi

cargo install --locked --quiet cross --version "=$cross_version" --root "$tools"
export RUSTUP_HOME=$tools/rustup
rustup --quiet toolchain install --no-self-update --profile minimal --target "$triple" "$toolchain"

# The network of the host: a bridge would need its firewall's consent.
options=(--network host)
base=debian:bookworm-slim
if ! docker image inspect "$base" >/dev/null 2>&1 && ! timeout 60 docker pull --quiet "$base" >/dev/null 2>&1; then
  base=local/bookworm:latest
  docker image inspect "$base" >/dev/null 2>&1 ||
    run bash -c "set -o pipefail; mmdebstrap --variant=minbase bookworm - | docker import - $base"
  options+=(--build-arg "BASE=$base")
fi
export CROSS_BUILD_OPTS="${options[*]}" CARGO_TARGET_DIR=$target/cross PATH="$tools/bin:$PATH"

{
  rustc "+$toolchain" --version
  echo "cross $cross_version"
  docker --version
} | sed 's/^/# /' | tee -a "$log"
echo "# CROSS_BUILD_OPTS=\"$CROSS_BUILD_OPTS\"" | tee -a "$log"
run cross "+$toolchain" build --release --locked --target "$triple"
run cross "+$toolchain" test --locked --target "$triple" "${tests[@]}"
