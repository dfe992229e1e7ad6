PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test ui serve check lint types layers docs screenshot browser benchmarks calibration lock

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "simtom_pipeline needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(INSTALLED)
	$(BIN)/simtom run baseline

ui: $(INSTALLED)
	$(BIN)/simtom ui

serve: $(INSTALLED)
	$(BIN)/simtom serve

# The tests of the page want a browser; on Debian it is a package.
browser:
	command -v chromium >/dev/null || { SUDO=$$(command -v sudo || true); $$SUDO apt-get update -q && $$SUDO apt-get install -y -q chromium; }

test: $(INSTALLED)
	$(BIN)/pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

check: lint types layers test

docs: $(INSTALLED)
	$(BIN)/python -m tools.documents

screenshot: $(INSTALLED) browser
	$(BIN)/python -m tools.screenshot

benchmarks: $(INSTALLED)
	$(BIN)/python benchmarks/costs.py
	$(BIN)/python benchmarks/streams.py

calibration: $(INSTALLED)
	$(BIN)/python -m tools.calibration

lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev --generate-hashes --no-strip-extras \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 -o requirements.lock
