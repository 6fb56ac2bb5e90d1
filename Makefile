# Everything a person needs to build, try and check Muster. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help tools demo test lint bench soak fuzz venv
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
VENV := target/venv

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{ printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

tools:
	@scripts/check-tools

# Unoptimised: from cold that is there in a third of the time, and five simulated sites keep no machine busy.
demo: tools ## the server with a simulated fleet, on 127.0.0.1
	@$(CARGO) build --package muster
	@exec $(CARGO) run --quiet --package muster -- demo $(DEMO)

test: tools ## every test
	@scripts/python-venv $(VENV)
	@MUSTER_PYTHON="$$(scripts/python-venv --path $(VENV))" $(CARGO) test --workspace

lint: tools ## format, clippy, house rules
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@scripts/house-rules

bench: tools ## the figures of docs/performance.md, printed as a table
	@$(CARGO) bench --workspace --bench '*'

soak: tools ## the tests that need true timings, an hour of 100,000 guests among them (MUSTER_SOAK_MINUTES=n)
	@$(CARGO) test --release --package fleet --package muster --test links --test idle --test faults --test kill --test soak -- \
		--ignored --nocapture --test-threads 1
	@MUSTER_KILLS=200 $(CARGO) test --release --package store --package fleet --test kill --test durable -- --nocapture killed

fuzz: tools ## the property tests with a hundred times as many cases (CASES=n)
	@scripts/fuzz

venv: ## the Python environment that `make test` uses
	@scripts/python-venv $(VENV)
