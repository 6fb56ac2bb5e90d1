# Everything a person needs to build, try and check Muster. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help tools console demo test dev lint bench screenshots soak fuzz venv
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
VENV := target/venv
WEB := npm --prefix web run --silent

# A Node that `scripts/node` has put here.
ifneq ($(wildcard target/node/bin/node),)
export PATH := $(CURDIR)/target/node/bin:$(PATH)
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{ printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

tools:
	@scripts/check-tools

console: tools ## the console in the browser, built into web/dist: a binary built afterwards has it
	@scripts/console

# Unoptimised: from cold that is there in a third of the time, and five simulated sites keep no machine busy.
demo: console ## the server with a simulated fleet, on 127.0.0.1
	@$(CARGO) build --package muster
	@exec $(CARGO) run --quiet --package muster -- demo $(DEMO)

# The tests in the browser use the binaries that the others were built with.
test: console ## every test, those in a browser among them
	@scripts/check-tools browser
	@scripts/python-venv $(VENV)
	@MUSTER_PYTHON="$$(scripts/python-venv --path $(VENV))" $(CARGO) test --workspace
	@$(WEB) test
	@MUSTER_CHROMIUM="$$(scripts/chromium --path)" $(WEB) e2e

dev: tools ## the console with hot reload, on a server that runs (MUSTER_URL=http://127.0.0.1:8088)
	@scripts/console packages
	@$(WEB) dev

lint: tools ## format, clippy, types and rules of the console, house rules
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@scripts/console packages
	@$(WEB) lint
	@scripts/house-rules

bench: console ## the figures of docs/performance.md, printed as a table
	@scripts/check-tools browser
	@$(CARGO) bench --workspace --bench '*'
	@$(CARGO) build --release --package muster --package pve-sim
	@MUSTER_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release" MUSTER_CHROMIUM="$$(scripts/chromium --path)" $(WEB) bench

screenshots: console ## a picture of every screen of the console, and the one in README.md
	@scripts/check-tools browser
	@$(CARGO) build --package muster --package pve-sim
	@MUSTER_CHROMIUM="$$(scripts/chromium --path)" $(WEB) screenshots

soak: console ## the tests that need true timings, an hour of 100,000 guests among them (MUSTER_SOAK_MINUTES=n)
	@scripts/check-tools browser
	@$(CARGO) test --release --package fleet --package muster --test links --test idle --test faults --test kill --test soak -- \
		--ignored --nocapture --test-threads 1
	@MUSTER_KILLS=200 $(CARGO) test --release --package store --package fleet --test kill --test durable -- --nocapture killed
	@$(CARGO) build --release --package muster --package pve-sim
	@MUSTER_GUESTS=100000 MUSTER_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release" MUSTER_CHROMIUM="$$(scripts/chromium --path)" \
		$(WEB) e2e -- e2e/crowd.e2e.ts

fuzz: tools ## the property tests with a hundred times as many cases (CASES=n)
	@scripts/fuzz

venv: ## the Python environment that `make test` uses
	@scripts/python-venv $(VENV)
