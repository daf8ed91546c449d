# The Raspberry Pi without one: release builds for it, what must hold of them, the tests under QEMU's
# user emulation, and `cross`. docs/CROSS.md says how these differ.
GNU := aarch64-unknown-linux-gnu
MUSL := aarch64-unknown-linux-musl

# Where the building machine keeps its crates is nobody's business.
CRATES = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
PI_CARGO := CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc $(CARGO)
PI_RELEASE = RUSTFLAGS="$$RUSTFLAGS --remap-path-prefix=$(CRATES)=crates" $(PI_CARGO)

# Debian has no cross compiler for musl; zig is one.
ZIG := $(TARGET)/pi/zig
ZIG_PACKAGES := cargo-zigbuild==0.24.1 ziglang==0.17.1

# Never more of the processor than a Pi Zero 2W has, but for what `make pi-crypto` masks.
PI_QEMU = qemu-aarch64 -cpu cortex-a53 -L /usr/aarch64-linux-gnu
PI_TOOLS := $(abspath $(TARGET))/pi
PI_COUNT = cross/pi-count.py $(1) $(TARGET)/$(GNU)/release/calendarbot $(PI_TOOLS)

.PHONY: pi pi-test pi-suite pi-crypto pi-gate cross pi-tools qemu-tools FORCE
pi: $(TARGET)/$(GNU)/release/calendarbot $(TARGET)/$(MUSL)/release/calendarbot ## the program for the Pi, with glibc and static with musl, and what must hold of both
	$(call need,readelf:binutils strings:binutils)
	cross/pi-check.sh $^

pi-test: pi-suite pi-crypto pi-gate ## tests on the Pi's processor, emulated (PI_TESTS='all()': all of them), TLS without AES instructions, instructions of fixed work

pi-suite: pi-tools qemu-tools $(PI_TOOLS)/program-under-test
	PROGRAM_UNDER_TEST=$(PI_TOOLS)/program-under-test \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$(PI_QEMU)" $(PI_CARGO) nextest run --locked \
	  --target $(GNU) --profile pi $(if $(PI_TESTS),--ignore-default-filter -E '$(PI_TESTS)')

pi-crypto: qemu-tools $(TARGET)/$(GNU)/release/calendarbot $(PI_TOOLS)/count.so $(PI_TOOLS)/mask.so ## TLS under QEMU without the AES and SHA instructions, which a Pi Zero 2W has not
	$(call need,python3 openssl)
	$(call PI_COUNT,crypto)

pi-gate: qemu-tools $(TARGET)/$(GNU)/release/calendarbot $(PI_TOOLS)/count.so $(PI_TOOLS)/mask.so ## instructions of fixed work, within 1 % of cross/pi-instructions.tsv (BLESS=1: record them)
	$(call need,python3)
	$(call PI_COUNT,gate) cross/pi-instructions.tsv

cross: tools ## `cross build` and `cross test` in Docker, with or without a registry
	$(call need,dockerd:docker.io docker:docker.io mmdebstrap)
	cross/pi-cross.sh $(abspath $(TARGET))

$(TARGET)/$(GNU)/release/calendarbot: pi-tools FORCE
	$(PI_RELEASE) build --release --locked --quiet --target $(GNU)

# This is the small one: what is resident of it is mostly the program itself.
$(TARGET)/$(MUSL)/release/calendarbot: pi-tools $(ZIG)/bin/cargo-zigbuild FORCE
	PATH="$(abspath $(ZIG))/bin:$$PATH" CARGO_PROFILE_RELEASE_OPT_LEVEL=z $(PI_RELEASE) zigbuild --release --locked --quiet --target $(MUSL)

$(ZIG)/bin/cargo-zigbuild:
	@python3 -m venv $(ZIG) || { echo "Python is missing: sudo apt install python3-venv"; exit 1; }
	$(ZIG)/bin/pip install --quiet $(ZIG_PACKAGES)

# Tests that start the program start this: a runner is for what cargo starts alone.
$(PI_TOOLS)/program-under-test: cross/pi.mk
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec %s "%s" "$$@"\n' "$$(command -v qemu-aarch64) $(wordlist 2,9,$(PI_QEMU))" \
	  $(abspath $(TARGET))/$(GNU)/debug/calendarbot >$@
	@chmod 755 $@

# QEMU takes plugins of its own version: 1 up to 8, 2 from 9 on.
$(PI_TOOLS)/count.so: cross/pi-count.c | qemu-tools
	@mkdir -p $(@D)
	case $$(qemu-aarch64 --version) in *' version '[78].*) version=1;; *) version=2;; esac; \
	  cc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -DPLUGIN_VERSION=$$version -o $@ $<

$(PI_TOOLS)/mask.so: cross/pi-mask.c | pi-tools
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc -O2 -Wall -Wextra -shared -fPIC -o $@ $<

qemu-tools:
	$(call need,qemu-aarch64:qemu-user)

pi-tools: tools
	$(call need,aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1:libc6-dev-arm64-cross)
	@for target in $(GNU) $(MUSL); do \
	  [ -d "$$(rustc --print target-libdir --target $$target)" ] || rustup --quiet target add $$target || { \
	    echo "Rust's $$target is missing: install Rust from https://rustup.rs"; exit 1; }; done

FORCE:
