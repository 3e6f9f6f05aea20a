# `make run` and `make test` need Python 3.11 or later and nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: help run test test-slow test-faults check lint demo bench screenshots clean

help:
	@echo "make run          install and start CovAudit on http://127.0.0.1:$(PORT)"
	@echo "make test         install, check style and types, run the tests"
	@echo "make test-slow    the tests that take minutes"
	@echo "make test-faults  kill, starve and cut off runs, workers, app and database; prints what survived"
	@echo "make check        the tests without a browser"
	@echo "make demo         the demo on the command line"
	@echo "make bench        speed and memory, measured here (20 minutes)"
	@echo "make screenshots  pictures of every page with the demo's data, in build/screenshots"

run: $(VENV)/installed
	$(BIN)/python -m covaudit app --port $(PORT)

demo: $(VENV)/installed
	$(BIN)/python -m covaudit demo

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint
	$(BIN)/pytest -m "not slow and not browser"

test: lint
	$(BIN)/pytest -m "not slow"

test-slow: $(VENV)/installed-dev
	$(BIN)/pytest -m slow

test-faults: $(VENV)/installed-dev
	COVAUDIT_FAULTS=full $(BIN)/pytest tests/faults

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks

bench-sources: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks sources

screenshots: $(VENV)/installed-dev
	$(BIN)/python tests/browser/screenshots.py

# A marker file that is newer than the requirements: a second start installs nothing.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CovAudit needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Try: make run PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
