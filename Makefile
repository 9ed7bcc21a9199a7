# hiswatch: one-liners. Everything runs in .venv, which is made from the hash-pinned lock files.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)
BIN := .venv/bin
SEED ?= 20261118

.PHONY: run test env dev check fix bench parsing shapes latency detection detection-cost formats understanding month torture fuzz sql-fuzz sql-superset regenerate clean

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
	-$(BIN)/python benchmarks/parsing.py --seed $(SEED) --runs 2

parsing: dev  ## bytes to EVENTS alone, every format: make parsing ARGS="--only 'postgresql_*'"
	$(BIN)/python benchmarks/parsing.py --seed $(SEED) $(ARGS)

shapes: dev  ## fingerprints of SQL: a million pairs of statements, then statements a CPU second
	$(BIN)/python -m pytest -n 2 -m slow tests/parsers/sql/test_statement_pairs.py
	$(BIN)/python benchmarks/shapes.py --seed $(SEED) $(ARGS)

latency: dev  ## from log write to webhook at 1,000 records/s; idle cost
	$(BIN)/python benchmarks/latency.py --seed $(SEED) $(ARGS)

detection-cost: dev  ## CPU of conditions, windows and behaviour; with ARGS=--memory what they remember of 5,000 accounts
	$(BIN)/python benchmarks/detection_cost.py --seed $(SEED) $(ARGS)

detection: dev  ## the labelled samples: found, missed, false alarms
	$(BIN)/python benchmarks/detection.py $(ARGS)

formats: dev  ## captured logs: every byte accounted for, and the same acts in other readings: make formats SAMPLES=DIR
	$(BIN)/python benchmarks/formats.py --config config/examples/sample-hospital/hospital.yaml --samples $(SAMPLES)/db --samples $(SAMPLES)/transfer $(ARGS)
	$(BIN)/python benchmarks/comparison.py --config config/examples/sample-hospital/hospital.yaml --samples $(SAMPLES) $(ARGS)

understanding: dev  ## captured logs: how many statements have a tree, a grammar, their tables: make understanding SAMPLES=DIR
	$(BIN)/python benchmarks/understanding.py --config config/examples/sample-hospital/hospital.yaml --samples $(SAMPLES)/db $(ARGS)

month: dev  ## an ordinary month of 5,000,000 events: what it cries wolf about; the seed is for tuning
	nice -n 15 $(BIN)/python benchmarks/month.py --seed $(or $(MONTH_SEED),1) $(ARGS)

torture: dev  ## long runs: kills while logs grow
	$(BIN)/python -m pytest -m slow tests/torture $(ARGS)

fuzz: dev  ## a million damaged records of every format, and what every parser promises: make fuzz ARGS="-k xferlog"
	HISWATCH_EXAMPLES=$(or $(HISWATCH_EXAMPLES),100) $(BIN)/python -m pytest -n 2 tests/parsers/test_contract.py $(ARGS)
	$(BIN)/python -m pytest -n 2 -m slow tests/fuzz $(ARGS)

sql-fuzz: dev  ## damaged SQL through the real workers: make sql-fuzz HISWATCH_FUZZ_STATEMENTS=1000000
	HISWATCH_FUZZ_STATEMENTS=$(or $(HISWATCH_FUZZ_STATEMENTS),1000000) nice -n 15 $(BIN)/python -m pytest -n 0 -s -m slow tests/parsers/sql/test_hostile.py $(ARGS)

sql-superset: dev  ## 100,000 statements: the lexical pass names every table that the tree does
	nice -n 15 $(BIN)/python -m pytest -n 0 -s -m slow tests/parsers/sql/test_superset.py $(ARGS)

regenerate: dev  ## rewrite golden files: make regenerate parser=vsftpd_native (read the diff)
	$(BIN)/python tests/parsers/regenerate.py $(parser)

clean:
	rm -rf .venv build *.egg-info
