# The emulated board: QEMU's arm64 machine with Debian's kernel. What is fetched and made stays in
# target/board. PI_MUSL=FILE and BOARD_DEB=FILE take what was built elsewhere, PARTS="heat network"
# a part of the checks.
BOARD := $(TARGET)/board
PI_MUSL := $(TARGET)/aarch64-unknown-linux-musl/release/calendarbot
BOARD_DEB = $(TARGET)/dist/calendarbot_$(VERSION)_arm64.deb

.PHONY: board board-smoke board-tools
board-smoke: board-tools $(if $(filter file,$(origin PI_MUSL)),pi) ## the static program alone on an emulated board; ten seconds
	cross/board/smoke.sh $(BOARD) $(PI_MUSL)

board: board-tools $(if $(filter file,$(origin BOARD_DEB)),deb) ## the package in Debian on an emulated board, and what may befall it; ten minutes
	$(call need,python3 fakeroot)
	cross/board/board.sh $(BOARD) $(BOARD_DEB) $(PARTS)

# What is not a program of the package of its name.
BOARD_TOOLS := qemu-system-aarch64:qemu-system-arm mkfs.ext4:e2fsprogs dpkg-deb:dpkg
board-tools:
	$(call need,curl cpio gzip)
	@missing=; for tool in $(BOARD_TOOLS); do \
	  PATH="$$PATH:/usr/sbin" command -v $${tool%:*} >/dev/null || missing="$$missing $${tool#*:}"; done; \
	[ -z "$$missing" ] || { echo "missing:$$missing; trying to install"; \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    apt-get install -y -qq --no-install-recommends $$missing; } \
	  || { echo "install them, such as: sudo apt install$$missing"; exit 1; }; }
