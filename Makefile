# Every target installs what it needs or names it, asks nothing, and stops by itself.
# `make help` lists them.

CARGO ?= cargo
NEXTEST_VERSION := 0.9

.DEFAULT_GOAL := help
.PHONY: help run test check bless bench size tools

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: tools ## build and start the server with the demo calendar (RUN_ARGS="-c my.toml")
	@$(CARGO) run --release --locked --quiet -- serve $(RUN_ARGS)

test: tools ## run every test
	$(CARGO) nextest run --locked

check: tools ## formatting, lints, house rules
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --quiet -- -D warnings
	$(CARGO) nextest run --locked --test tidy

bless: tools ## write golden files and generated documents anew; read the diff
	BLESS=1 $(CARGO) nextest run --locked

bench: tools ## counts and times of the main paths
	$(CARGO) nextest run --locked --release --run-ignored only --no-capture -E 'test(/^bench::/)'

size: ## the release binary, section by section, and its dependencies
	$(CARGO) build --release --locked --quiet
	@ls -l target/release/calendarbot | awk '{printf "%.2f MB stripped\n", $$5 / 1e6}'
	@$(CARGO) tree --locked -e normal --prefix none | sort -u | wc -l | awk '{print $$1 " crates"}'

# What building and testing need beside Rust: a C compiler (SQLite, ring) and cargo-nextest.
tools:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "a C compiler is missing; trying to install it"; \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq gcc libc6-dev; } \
	  || { echo "install one, such as: sudo apt install gcc libc6-dev"; exit 1; }; }
	@case "$(MAKECMDGOALS)" in *run*|help) ;; *) \
	  $(CARGO) nextest --version >/dev/null 2>&1 || { \
	    echo "installing cargo-nextest $(NEXTEST_VERSION)"; \
	    $(CARGO) install --locked --quiet cargo-nextest --version "^$(NEXTEST_VERSION)"; };; esac
