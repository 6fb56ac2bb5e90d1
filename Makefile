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

demo: tools ## a simulated fleet, live in this terminal
	@$(CARGO) build --package muster
	@$(CARGO) run --quiet --package muster -- demo

test: tools ## every test
	@scripts/python-venv $(VENV)
	@MUSTER_PYTHON="$$(scripts/python-venv --path $(VENV))" $(CARGO) test --workspace

lint: tools ## format, clippy, house rules
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@scripts/house-rules

bench: tools ## the figures of docs/performance.md, printed as a table
	@$(CARGO) bench --workspace --bench '*'

soak: tools ## the tests that need true timings, minutes each
	@$(CARGO) test --release --package fleet --package muster --test links --test idle --test faults -- \
		--ignored --nocapture --test-threads 1

fuzz: tools ## the property tests with a hundred times as many cases (CASES=n)
	@scripts/fuzz

venv: ## the Python environment that `make test` uses
	@scripts/python-venv $(VENV)
