# The emulated board: QEMU's arm64 machine with Debian's kernel. What is fetched and made stays in
# target/board. PI_MUSL=FILE and BOARD_DEB=FILE take what was built elsewhere, PARTS="heat network"
# a part of the checks.
BOARD := $(TARGET)/board
PI_MUSL := $(TARGET)/aarch64-unknown-linux-musl/release/calendarbot
BOARD_DEB = $(TARGET)/dist/calendarbot_$(VERSION)_arm64.deb

.PHONY: board board-smoke board-tools
board-smoke: board-tools $(PI_MUSL) ## the static program alone on an emulated board; ten seconds
	cross/board/smoke.sh $(BOARD) $(PI_MUSL)

board: board-tools $(if $(filter file,$(origin BOARD_DEB)),deb) ## the package in Debian on an emulated board, and what may befall it; ten minutes
	cross/board/board.sh $(BOARD) $(BOARD_DEB) $(PARTS)

board-tools:
	$(call need,curl cpio gzip python3 fakeroot qemu-system-aarch64:qemu-system-arm mkfs.ext4:e2fsprogs dpkg-deb:dpkg)
