# One command for each wish; `make help` lists them. CI calls the same targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help app test check fix browser long demo bench faults calibrate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.app: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.app

app: $(VENV)/.app ## install and serve the page on http://127.0.0.1:7860
	$(BIN)/python app.py

test: $(VENV)/.dev ## unit tests and one path through the whole product
	$(BIN)/python -m pytest -m "not browser or path"

check: $(VENV)/.dev ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: $(VENV)/.dev ## format, mend lint, renew what is generated from the code and the rules
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m kb.kept
	$(BIN)/python -m tests.rules_page
	$(BIN)/python -m tests.file_map

browser: $(VENV)/.dev ## every browser test (needs a Chromium)
	$(BIN)/python -m pytest -m browser

long: $(VENV)/.dev ## real training runs that take minutes
	$(BIN)/python -m pytest -m long -s

demo: $(VENV)/.app ## audit the five examples on the command line
	@for file in examples/*.y*ml examples/*.py; do $(BIN)/python -m agent audit $$file --hardware mi300x; done

bench: $(VENV)/.dev ## how fast an audit is
	$(BIN)/python benchmarks/audit_speed.py

faults: $(VENV)/.dev ## inject known faults into the real files beside the checkout and count what is found
	$(BIN)/python -m tests.kb.injection ../shared/configs

calibrate: $(VENV)/.dev ## fit the estimator to the published runs again and print its errors
	$(BIN)/python -m runner.estimator.calibrate
	$(BIN)/python benchmarks/estimator_report.py --write

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
