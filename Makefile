# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
DURATION ?= 60
WORKERS ?= auto

.PHONY: help demo loop test check dashboards pictures acceptance bench bench-detection bench-validation bench-scrape simulate lock clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 17

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "model-monitor needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/installed  ## the main job on the embedded broker: drift, falling performance, a signed retrain request
	$(BIN)/monitor demo --duration $(DURATION)

loop: DURATION = 90
loop: $(VENV)/installed  ## the same with a pipeline that retrains: drift, request, new version, promotion, recovery
	$(BIN)/monitor demo --loop --duration $(DURATION)

test: $(VENV)/installed  ## every test, on all cores; on Apache Kafka where Java is present, else on the embedded broker
	$(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal

check: $(VENV)/installed  ## formatting, lint, strict types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

acceptance: $(VENV)/installed  ## what the statistics promise, every figure beside its target; POINTS="E F" for some
	$(BIN)/python -m tests.acceptance $(POINTS)

bench: $(VENV)/installed  ## events a second beside the bare client, on one broker in one run
	$(BIN)/python -m benchmarks.throughput

bench-detection: $(VENV)/installed  ## false alarms and delay of ways to find drift, on the same simulated traffic
	$(BIN)/python -m benchmarks.detection

bench-validation: $(VENV)/installed  ## labels that a comparison takes, and how often one that is no better is promoted
	$(BIN)/python -m benchmarks.validation

bench-scrape: $(VENV)/installed  ## a scrape of 10 to 10,000 features beside prometheus-client's own text of as many gauges
	$(BIN)/python -m benchmarks.scrape

simulate: $(VENV)/installed  ## crash points and interleavings from a seed: make simulate SEED=7
	MODEL_MONITOR_SEED=$(SEED) $(BIN)/pytest tests/simulation

dashboards: $(VENV)/installed  ## write the files of Grafana's dashboards from the code in dashboards/source
	$(BIN)/python -m dashboards.source

pictures: $(VENV)/installed  ## take the pictures of README and docs anew, of the running demo, with Chromium
	$(BIN)/python -m tests.browser.pictures

lock: $(VENV)/installed  ## choose the newest versions again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev --upgrade pyproject.toml --output-file requirements.lock

clean:  ## remove what the other commands made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
