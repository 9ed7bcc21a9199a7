# hiswatch: one-liners. Everything runs in .venv, which is made from the hash-pinned lock files.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)
BIN := .venv/bin
SEED ?= 20261118

.PHONY: run test env dev check fix bench latency detection torture regenerate clean

run: env  ## environment, then the demo on an embedded store: make run ARGS="--seconds 30"
	$(BIN)/hiswatch demo $(ARGS)

test: dev  ## environment, then the whole suite: make test ARGS="-k tail"
	$(BIN)/python -m pytest -n 2 $(ARGS)

env: .venv/.runtime  ## .venv with the hiswatch command in .venv/bin

dev: .venv/.dev  ## the same, with what tests and checks need

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

check: dev  ## format-check, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: dev  ## format and autofix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: dev  ## the whole way, raw bytes to stored events and findings, beside pgBadger
	$(BIN)/python benchmarks/end_to_end.py --seed $(SEED) $(ARGS)

latency: dev  ## from log write to webhook at 1,000 records/s; idle cost
	$(BIN)/python benchmarks/latency.py --seed $(SEED) $(ARGS)

detection: dev  ## the labelled samples: found, missed, false alarms
	$(BIN)/python benchmarks/detection.py $(ARGS)

torture: dev  ## long runs: kills while logs grow
	$(BIN)/python -m pytest -m slow tests/torture $(ARGS)

regenerate: dev  ## rewrite golden files: make regenerate parser=vsftpd_native (read the diff)
	$(BIN)/python tests/parsers/regenerate.py $(parser)

clean:
	rm -rf .venv build *.egg-info
