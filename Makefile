# Every target sets up what it needs: a virtual environment from the hashed lock file.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test dev lint format types check docs bench bench-faults lock clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## Create .venv with everything in it

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: setup ## From nothing to a start list and allocations, on the embedded sandbox
	$(BIN)/ldt demo

# In the order of folders: by the number of tests, modules with a few long ones would come last, and
# one process would wait for the other.
test: setup ## Run all tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

dev: setup ## Open the Dagster UI on http://localhost:3000
	$(BIN)/dg dev

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup ## Load the code location as Dagster will
	$(BIN)/dagster definitions validate

docs: setup ## Write the parts of docs/ that follow from the code
	$(BIN)/python -m ldt_pipeline.tables.document docs/tables.md

bench: setup ## Measure a first load of 100,000 participants
	$(BIN)/python benchmarks/first_load.py

bench-faults: setup ## Break network, API, disk and processes for hours, and compare what is published
	$(BIN)/python -m benchmarks.faults $(FAULTS)

lock: setup ## Pin the newest allowed versions
	$(BIN)/uv pip compile pyproject.toml --group dev --extra postgres --universal --python-version 3.11 \
		--generate-hashes --no-header --no-strip-extras --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --extra postgres --universal \
		--python-version 3.11 --constraint requirements.lock --generate-hashes --no-header \
		--no-strip-extras --output-file deploy/requirements.lock

clean: ## Take away the virtual environment and caches, never data/
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
