# Every target installs what it needs or names it, asks nothing, and stops by itself.
# `make help` lists them.

CARGO ?= cargo
NEXTEST_VERSION := 0.9
LLVM_COV_VERSION := 0.9
TARGET := $(or $(CARGO_TARGET_DIR),target)
# For each part of `make bench`, in seconds: more than any of them takes.
BENCH_PART_TIME := 600
# What measures the product is a package of its own, with its own dependencies.
BENCH := --locked --manifest-path tests/bench/Cargo.toml --target-dir $(TARGET)/bench/build

BENCH_OUT = --product $(TARGET)/release/calendarbot --out $(TARGET)/bench $(if $(DOCS),--docs docs/BENCHMARKS.md)
# Compared with; it gets its package the first time.
BENCH_PYTHON := $(TARGET)/bench/python/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test coverage check bless oracle bench bench-http bench-ical bench-connections bench-pipeline bench-program bench-setup gate attack attack-cgroup budget-proof faults soak fuzz browser-test size tools metrics-check api-check proxy-check

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: tools ## build and start the server with the demo calendar (RUN_ARGS="-c my.toml")
	@$(CARGO) run --release --locked --quiet -- serve $(RUN_ARGS)

test: tools ## run every test
	$(CARGO) nextest run --locked
	$(CARGO) nextest run $(BENCH)

# Rooms whose lines are counted, and those of them that must reach the bar.
COVERAGE_ROOMS := pipeline connections health
COVERAGE_JUDGED := pipeline
COVERAGE_MIN := 95
coverage: tools ## lines that the tests run, file by file; fails when pipeline/ is below 95 %
	@$(CARGO) llvm-cov --version >/dev/null 2>&1 || { \
	  echo "installing cargo-llvm-cov $(LLVM_COV_VERSION)"; \
	  $(CARGO) install --locked --quiet cargo-llvm-cov --version "^$(LLVM_COV_VERSION)"; }
	@rustup component add llvm-tools 2>/dev/null || { \
	  echo "coverage needs Rust's llvm-tools: install Rust from https://rustup.rs"; exit 1; }
	@# Programs that tests start without an environment leave their counts here.
	$(CARGO) llvm-cov nextest --locked --lcov --output-path $(TARGET)/coverage.lcov; \
	  status=$$?; rm -f default_*.profraw; exit $$status
	@awk -v source="$(CURDIR)/src/" -v rooms="$(COVERAGE_ROOMS)" -v judged="$(COVERAGE_JUDGED)" \
	  -v min=$(COVERAGE_MIN) -f tests/coverage.awk $(TARGET)/coverage.lcov

check: tools ## formatting, lints, house rules
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/bench/Cargo.toml
	$(CARGO) clippy --locked --all-targets --quiet -- -D warnings
	$(CARGO) clippy $(BENCH) --all-targets --quiet -- -D warnings
	$(CARGO) nextest run --locked --test tidy

bless: tools ## write golden files and generated documents anew; read the diff
	BLESS=1 $(CARGO) nextest run --locked

ORACLE := $(abspath $(TARGET))/oracle
oracle: tools ## compare expansions with Python's (COUNT=1000 made calendars from SEED=1; ORACLE_DIR=unseen/)
	@python3 -m venv $(ORACLE)/venv || { \
	  echo "Python is missing: sudo apt install python3-venv"; exit 1; }
	$(ORACLE)/venv/bin/pip install --quiet --requirement tests/oracle/requirements.txt
	$(ORACLE)/venv/bin/python tests/oracle/generate.py $(ORACLE) \
	  --count $(or $(COUNT),1000) --seed $(or $(SEED),1) $(if $(ORACLE_DIR),--unseen $(ORACLE_DIR))
	ORACLE=$(ORACLE) $(CARGO) nextest run --locked --lib --run-ignored only \
	  -E 'test(answers_for_the_oracle)'
	$(ORACLE)/venv/bin/python -W ignore tests/oracle/compare.py $(ORACLE) \
	  $(if $(ORACLE_DIR),--unseen $(ORACLE_DIR))

# What one of them could not measure, the report says; no figure in it is from an earlier run.
BENCH_PARTS := http ical connections pipeline program
bench: bench-programs ## everything that is measured, in one report: target/bench/report.md (DOCS=1: into docs/BENCHMARKS.md, too)
	@rm -f $(BENCH_PARTS:%=$(TARGET)/bench/%.json) $(BENCH_PARTS:%=$(TARGET)/bench/%.md)
	@for part in $(BENCH_PARTS); do \
	  timeout $(BENCH_PART_TIME) $(MAKE) --no-print-directory bench-$$part >/dev/null || :; done
	$(TARGET)/bench/build/release/bench-summary $(BENCH_OUT)

bench-http: bench-programs ## HTTP beside its peers, into target/bench/http.md (DOCS=1: into docs/BENCHMARKS.md)
	$(TARGET)/bench/build/release/bench $(BENCH_OUT)

bench-ical: bench-programs ## reading calendars beside others, and a refresh, into target/bench/ical.md (DOCS=1: as above)
	@$(BENCH_PYTHON) -c 'import icalendar' 2>/dev/null || { python3 -m venv $(TARGET)/bench/python && \
	  $(BENCH_PYTHON) -m pip --retries 1 --timeout 10 install --quiet icalendar==7.3.0; } || \
	  echo "SKIP: Python's icalendar cannot be installed here"
	$(TARGET)/bench/build/release/bench-ical --python $(BENCH_PYTHON) $(BENCH_OUT)

bench-connections: bench-programs ## kept connections against one for each fetch and read, into target/bench/connections.md (DOCS=1: as above)
	$(TARGET)/bench/build/release/bench-connections $(BENCH_OUT)

bench-pipeline: bench-programs ## our own program with its flags on and off, into target/bench/pipeline.md (DOCS=1: as above)
	$(TARGET)/bench/build/release/bench-pipeline $(BENCH_OUT)

bench-program: bench-programs ## starts, idleness, cache misses, growth and size, into target/bench/program.md (DOCS=1: as above; AARCH64=FILE)
	$(TARGET)/bench/build/release/bench-program $(if $(AARCH64),--aarch64 $(AARCH64)) $(BENCH_OUT)

gate: bench-programs ## instructions, syscalls and allocations of a cached GET, against their bars
	$(call need,valgrind strace)
	$(TARGET)/bench/build/release/bench --gate --product $(TARGET)/release/calendarbot

metrics-check: tools ## have Prometheus' promtool read /metrics, in both formats
	@PATH="$$PATH:/usr/bin" command -v promtool >/dev/null || { echo "missing: promtool; trying to install"; \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    apt-get install -y -qq --no-install-recommends prometheus && \
	    { systemctl disable --quiet --now prometheus 2>/dev/null || :; }; } \
	  || { echo "install it, such as: sudo apt install prometheus"; exit 1; }; }
	$(call need,curl)
	$(CARGO) build --locked --quiet
	tests/metrics-check.sh $(TARGET)/debug/calendarbot

bench-setup: ## install the peers and the tools that the benchmarks use
	$(call need,nginx lighttpd valgrind strace)

attack: tools ## eleven sieges of the HTTP server, and 200,000 requests; five minutes
	ulimit -n 4096 && $(CARGO) nextest run --locked --release --run-ignored only --no-capture \
	  -E 'test(/^attack::/) + test(=corpus::against_the_program_itself)'

attack-cgroup: export CALENDARBOT_CGROUP := 1
attack-cgroup: attack ## the same, each inside a memory cgroup of the budget's size; as root

budget-proof: tools ## everything that costs memory at once, in cgroups of 16 and 8 MiB; as root
	ulimit -n 4096 && $(CARGO) nextest run --locked --release --run-ignored only --no-capture \
	  --profile soak --test it -E 'test(/^budget_proof::/)'

faults: tools ## full and failing disks, damaged files, sudden death (CASES="full kill_9"); as root for all
	$(call need,curl sqlite3 strace faketime)
	$(CARGO) build --release --locked --quiet
	tests/faults.sh $(TARGET)/release/calendarbot $(CASES)

soak: tools ## half an hour of refreshes over TLS: connections are reused, memory stays
	$(CARGO) nextest run --locked --release --run-ignored only --no-capture --profile soak --test it \
	  -E 'test(/^soak::/)'

FUZZ ?= frame calendar
SEEDS_frame := tests/data/http
SEEDS_calendar := tests/data/ics
fuzz: ## fuzz framing and calendars for SECONDS (60) each (FUZZ=calendar: one alone); needs nightly Rust
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { \
	  echo "fuzzing needs nightly Rust: rustup toolchain install nightly"; exit 1; }
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked --quiet cargo-fuzz
	$(foreach target,$(FUZZ),$(call fuzz-one,$(target))&&) :

# An old dependency tries features of the compiler that are no longer there: it gets none. What is
# found stays in the corpus; the test data are where it begins.
fuzz-one = mkdir -p tests/fuzz/corpus/$(1) && \
  RUSTFLAGS="$$RUSTFLAGS -Zallow-features=" $(CARGO) +nightly fuzz run $(1) --fuzz-dir tests/fuzz \
  --target-dir $(TARGET)/fuzz tests/fuzz/corpus/$(1) $(SEEDS_$(1)) \
  -- -max_total_time=$(or $(SECONDS),60) -max_len=10000 -dict=tests/fuzz/$(1).dict

.PHONY: bench-programs
bench-programs: tools
	$(CARGO) build --release --locked --quiet
	$(CARGO) build --release --quiet $(BENCH)

# Installs the programs of the list that are missing, as Debian packages of the same names or of
# those behind a colon, or names them. What has just been installed to be measured shall not serve
# port 80 as well.
define need
@missing=; for program in $(1); do \
  PATH="$$PATH:/usr/sbin" command -v $${program%%:*} >/dev/null || missing="$$missing $${program#*:}"; done; \
[ -z "$$missing" ] || { echo "missing:$$missing; trying to install"; \
  { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq $$missing && \
    for program in $$missing; do systemctl disable --quiet --now $$program 2>/dev/null || :; done; } \
  || { echo "install them, such as: sudo apt install$$missing"; exit 1; }; }
endef

# What judges how accessible the pages are; nothing of it is part of the program.
AXE_VERSION := 4.10.3
AXE := $(TARGET)/axe/package/axe.min.js

API_VENV := $(TARGET)/api-check
proxy-check: tools ## docs/nginx.conf in front of the program: how much it answers by itself
	$(call need,curl nginx)
	$(CARGO) build --locked --quiet
	tests/proxy-check.sh $(TARGET)/debug/calendarbot

api-check: tools ## schemathesis against the running program, by its own description; three minutes
	$(call need,curl python3)
	@$(API_VENV)/bin/schemathesis --version >/dev/null 2>&1 || { python3 -m venv $(API_VENV) && \
	  $(API_VENV)/bin/pip install --quiet --requirement tests/api-check/requirements.txt; } || { \
	  echo "Python is missing: sudo apt install python3-venv"; exit 1; }
	$(CARGO) build --locked --quiet
	tests/api-check/run.sh $(TARGET)/debug/calendarbot $(API_VENV)/bin/schemathesis

browser-test: tools $(AXE) ## every page in Chromium, on every screen and by axe; pictures in target/browser
	$(call need,chromium python3)
	$(CARGO) build --locked --quiet
	python3 tests/browser $(TARGET)/debug/calendarbot $(TARGET)/browser $(AXE)

$(AXE):
	$(call need,npm)
	mkdir -p $(TARGET)/axe
	cd $(TARGET)/axe && npm pack --silent axe-core@$(AXE_VERSION) && tar -xzf axe-core-$(AXE_VERSION).tgz

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

# The Pi: cross building, packages, the emulated board.
include $(wildcard cross/*.mk)
