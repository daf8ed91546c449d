# The package, what it starts, and all that is given away.

DEB_TARGET ?= aarch64-unknown-linux-gnu
DEB_BINARY ?= $(TARGET)/$(DEB_TARGET)/release/calendarbot
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
UNITS := $(TARGET)/units

.PHONY: unit-check deb package-test package-boot dist FORCE

# systemd-analyze looks for what a unit starts, and none of it need be installed here.
unit-check: ## the units as systemd reads them, and how far the service is shut in (at most 1.2)
	$(call need,systemd-analyze:systemd)
	@rm -rf $(UNITS); mkdir -p $(UNITS)
	@for unit in cross/systemd/*.service cross/systemd/*.socket; do \
	  sed 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' $$unit >$(UNITS)/$${unit##*/}; done
	@# What it does not know, it only mentions.
	@found=$$(systemd-analyze verify --man=no $(UNITS)/*.service $(UNITS)/*.socket 2>&1) && [ -z "$$found" ] && \
	  echo "PASS: systemd-analyze verify finds nothing" || { echo "FAIL: $$found"; exit 1; }
	@exposure=$$(systemd-analyze security --offline=true --no-pager $(UNITS)/calendarbot.service | \
	  sed -n 's/.*exposure level for calendarbot.service: \([0-9.]*\).*/\1/p'); \
	  echo "$$exposure" | awk '{ exit !($$1 != "" && $$1 <= 1.2) }' && \
	  echo "PASS: exposure $$exposure, at most 1.2" || { echo "FAIL: exposure $$exposure, at most 1.2"; exit 1; }

deb: $(DEB_BINARY) ## the package for the Pi, target/dist/*.deb (DEB_TARGET=x86_64-unknown-linux-gnu: for this machine)
	$(call need,dpkg-deb:dpkg readelf:binutils lintian)
	cross/debian/build $(DEB_BINARY) $(VERSION) $(abspath $(TARGET))/dist
	@lintian --allow-root --fail-on error $(TARGET)/dist/calendarbot_$(VERSION)_*.deb && \
	  echo "PASS: lintian finds no error"

package-test: ## install, upgrade, roll back, downgrade, remove and purge the package in a new Debian; as root
	$(call need,mmdebstrap)
	$(CARGO) build --release --locked --quiet
	cross/package-test.sh $(TARGET)/release/calendarbot $(TARGET)/package-test

package-boot: package-test ## the same where systemd runs, in a container: credentials, upgrade, automatic rollback; as root, six minutes
	$(call need,systemd-nspawn:systemd-container)
	cross/boot-test.sh $(TARGET)/release/calendarbot $(TARGET)/package-test

# cross/pi.mk makes those for the Pi.
$(TARGET)/x86_64-unknown-linux-gnu/release/calendarbot: FORCE
	$(CARGO) build --release --locked --quiet --target x86_64-unknown-linux-gnu

DIST := $(TARGET)/dist
PI_BINARY = $(TARGET)/aarch64-unknown-linux-$(1)/release/calendarbot
dist: $(call PI_BINARY,gnu) $(call PI_BINARY,musl) ## all that is given away, in target/dist: binaries, package, man page, completions, sums, SBOM
	$(call need,python3)
	@rm -rf $(DIST)
	@$(MAKE) --no-print-directory deb
	@for libc in gnu musl; do install -m 755 $(TARGET)/aarch64-unknown-linux-$$libc/release/calendarbot \
	  $(DIST)/calendarbot-$(VERSION)-aarch64-linux-$$libc; done
	@install -m 644 docs/calendarbot.1 cross/debian/calendarbot-rollback.8 cross/completions/* LICENSE $(DIST)
	@python3 cross/sbom.py aarch64-unknown-linux-gnu >$(DIST)/calendarbot-$(VERSION).cdx.json
	@cd $(DIST) && sha256sum * >SHA256SUMS && sha256sum --quiet --check SHA256SUMS && cat SHA256SUMS
	@echo "PASS: $$(ls $(DIST) | wc -l) files in $(DIST)"
