# Everything here works on a bare Debian 12 that has the Swift toolchain and nothing else.

PREFIX ?= /usr/local
SWIFT ?= swift
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SWIFT_SOURCES := Package.swift Sources Tests bench
# The time one fuzz run may take, in seconds.
FUZZ_SECONDS ?= 60
# How many clusters to simulate, and from which seed on.
SEEDS ?= 10000
FROM ?= 1

.DEFAULT_GOAL := help
.PHONY: help deps build run cluster test lint format bench bench-smoke asan tsan fuzz simulate \
    mutations install install-check clean

# List the targets.
help:
	@awk '/^# / { text = substr($$0, 3) } \
	    /^[a-z-]+:/ { if (text != "") printf "%-12s %s\n", substr($$1, 1, length($$1) - 1), text } \
	    !/^# / { text = "" }' Makefile

# Install what is missing: libevent, a C++ compiler, git. Says so if Swift is missing.
deps:
	@command -v $(SWIFT) >/dev/null || { \
	    echo "Swift 6.3 or newer is needed and '$(SWIFT)' is not in PATH:" \
	        "install it from https://www.swift.org/install" >&2; exit 1; }
	@if ! { [ -e /usr/include/event2/event.h ] && \
	    ls /usr/lib/*/pkgconfig/libevent_extra.pc >/dev/null 2>&1 && \
	    command -v git >/dev/null && command -v g++ >/dev/null; }; then \
	    $(SUDO) apt-get update && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	        libevent-dev g++ git ca-certificates; fi

# Build the server for production.
build: deps
	$(SWIFT) build -c release --product discovery

# Run one node on 127.0.0.1:7171.
run: build
	exec .build/release/discovery serve --config config/discovery.toml

# Run five nodes in two zones on this machine, until Ctrl-C.
cluster: build
	exec config/cluster/run.sh .build/release/discovery

# Run all tests, and each benchmark for a moment, so that they cannot rot.
test: deps
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build
	.build/debug/bench-load smoke

# Check the format of the sources.
lint:
	$(SWIFT) format lint --strict --recursive $(SWIFT_SOURCES)

# Format the sources.
format:
	$(SWIFT) format --in-place --recursive $(SWIFT_SOURCES)

# Measure against the baseline and print the report.
bench: deps
	$(SWIFT) build -c release
	.build/release/bench-load all

# Check in a few seconds that the server and the load generator work together.
bench-smoke: deps
	$(SWIFT) build -c release
	.build/release/bench-load smoke

# Run all tests under AddressSanitizer.
asan: deps
	@# TOMLKit 0.6.0 never frees what it parsed, so leaks are not reported.
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --sanitize=address --scratch-path .build-asan

# Run all tests under ThreadSanitizer.
tsan: deps
	TSAN_OPTIONS="suppressions=$(CURDIR)/Tests/tsan.supp \
	    external_symbolizer_path=$(dir $(realpath $(shell command -v $(SWIFT))))llvm-symbolizer" \
	    $(SWIFT) test --sanitize=thread --scratch-path .build-tsan

# Run the fuzz tests for FUZZ_SECONDS each, from a new seed.
fuzz: deps
	FUZZ_SECONDS=$(FUZZ_SECONDS) WIRE_FUZZ_SECONDS=$(FUZZ_SECONDS) \
	    CONFIG_FUZZ_SEED=$$(date +%s) $(SWIFT) test --filter '[Ff]uzz'

# Run SEEDS whole clusters in one thread each, from seed FROM on.
simulate: deps
	$(SWIFT) build -c release --product simulate
	.build/release/simulate --from $(FROM) --seeds $(SEEDS)

# Break the core on purpose in many ways, and see that the simulator finds each.
mutations: deps
	Tests/Mutations/mutate.sh

# Install program, man page and shell completions under PREFIX (default /usr/local).
install: build
	$(SWIFT) build -c release --product generate-manual
	mkdir -p .build/share
	.build/release/generate-manual .build/release/discovery -o .build/share
	for shell in bash zsh fish; do .build/release/discovery --generate-completion-script $$shell \
	    >.build/share/$$shell || exit 1; done
	@root='$(DESTDIR)$(PREFIX)'; folder=$$root; \
	while [ ! -e "$$folder" ]; do folder=$$(dirname "$$folder"); done; \
	[ -w "$$folder" ] || sudo='$(SUDO)'; \
	put() { $$sudo install -D -m "$$1" "$$2" "$$root/$$3" && echo "$$root/$$3"; }; \
	put 0755 .build/release/discovery bin/discovery && \
	put 0644 .build/share/discovery.1 share/man/man1/discovery.1 && \
	put 0644 .build/share/bash share/bash-completion/completions/discovery && \
	put 0644 .build/share/zsh share/zsh/site-functions/_discovery && \
	put 0644 .build/share/fish share/fish/vendor_completions.d/discovery.fish

# Install into an empty folder, and look whether all of it is there and works.
install-check:
	Tests/install.sh

# Remove everything that was built.
clean:
	rm -rf .build .build-asan .build-tsan .build-mutations
