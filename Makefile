# Every target sets up what it needs: a virtual environment from the hashed lock file.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick test-browser dev lint format types check docs site notebooks bench bench-memory bench-fetch bench-tidy bench-publish bench-incremental bench-peers bench-faults lock clean

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

# Thousands of small databases, each flushed to the disk many times: tests keep them in memory where some
# gigabytes of it can be had as a folder. (TEST_FILES=/tmp has them on the disk.)
TEST_FILES ?= $(shell grep -s ' /dev/shm ' /proc/mounts | grep -qv noexec && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 4194304 { print "/dev/shm" }')
PYTEST := $(if $(TEST_FILES),PYTEST_DEBUG_TEMPROOT=$(TEST_FILES)) $(BIN)/python -m pytest

# In the order of folders: by the number of tests, modules with a few long ones would come last, and
# one process would wait for the other. One process more than cores: some tests wait for servers and disks.
test: setup ## Run all tests
	$(PYTEST) --numprocesses 3 --dist loadscope --no-loadscope-reorder

test-quick: setup ## Run the tests that take less than some ten seconds each: minutes, not a quarter of an hour
	$(PYTEST) --numprocesses 3 --dist loadscope --no-loadscope-reorder -m "not slow"

test-browser: setup ## Drive a browser through Dagster's pages (LDT_BROWSER names it, else chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.lock
	LDT_BROWSER="$${LDT_BROWSER:-chromium}" $(BIN)/python -m pytest ldt_pipeline_tests/browser

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
	$(BIN)/python -m ldt_pipeline.cli.document docs/commands.md

site: docs ## Build the documentation's site into build/site: open index.html
	$(BIN)/zensical build --strict --clean
	@echo "Open build/site/index.html, or serve it, which its search needs:"
	@echo "  $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000"

# Pages may hold what only their owner should read. Empty addresses: nothing is asked of the internet.
notebooks: setup ## Run the notebooks on LDT_DATA_DIR, and make pages of them in build/notebooks
	umask 077 && $(BIN)/python -m nbconvert --log-level ERROR --execute --to html --no-input \
		--KernelManager.transport_encryption=required --HTMLExporter.mathjax_url= \
		--HTMLExporter.require_js_url= --HTMLExporter.jquery_url= \
		--output-dir build/notebooks notebooks/*.ipynb
	@echo "Open build/notebooks/race_week.html, partner_review.html or ballot.html in a browser."

bench: setup ## Measure a first load of 100,000 participants
	$(BIN)/python -m benchmarks.first_load

bench-memory: setup ## Measure peak memory and seconds of first loads, by size
	$(BIN)/python -m benchmarks.first_load $(or $(MEMORY),--participants 1000 10000 100000)

bench-fetch: setup ## Measure pages a second, beside what the line and the server allow
	$(BIN)/python -m benchmarks.fetch $(FETCH)

bench-tidy: setup ## Measure how fast records become frames, beside other tools
	$(BIN)/python -m benchmarks.tidy_rate $(TIDY)

bench-publish: setup ## Measure publishing by its parts, while somebody reads
	$(BIN)/python -m benchmarks.publish $(PUBLISH)

bench-incremental: setup ## Measure syncs of few changes in a large account
	$(BIN)/python -m benchmarks.incremental $(INCREMENTAL)

bench-peers: setup ## Load the same people with dlt and with `ldt sync`, in turn
	$(BIN)/python -m benchmarks.peers $(PEERS)

bench-faults: setup ## Break network, API, disk and processes for hours, and compare what is published
	$(BIN)/python -m benchmarks.faults $(FAULTS)

lock: setup ## Pin the newest allowed versions
	$(BIN)/uv pip compile pyproject.toml --group dev --extra notebooks --extra postgres --universal \
		--python-version 3.11 --generate-hashes --no-header --no-strip-extras --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile --group browser --universal --python-version 3.11 --constraint requirements.lock \
		--generate-hashes --no-header --no-strip-extras --upgrade --output-file requirements-browser.lock
	$(BIN)/uv pip compile pyproject.toml --group build --extra postgres --universal \
		--python-version 3.11 --constraint requirements.lock --generate-hashes --no-header \
		--no-strip-extras --output-file deploy/requirements.lock

clean: ## Take away the virtual environment and caches, never data/
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
