# Everything is done in .venv, which is made from requirements.lock when it is needed.
.DEFAULT_GOAL := help
BIN := .venv/bin
WORKERS ?= 2
GOLDEN ?= ../shared/golden

.PHONY: help setup m2 test check format unit conformance coverage bench nightly load lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv; at once when it is up to date
	@PYTHON="$(PYTHON)" scripts/setup

m2: setup ## Run the main job: pytest scenarios/goal_m2
	@$(BIN)/pytest -p no:hypothesispytest scenarios/goal_m2 $(ARGS)

# Real processes on a shared machine may lose a race against time: a failed case is run once more,
# and named at the end as RERUN, which is a bug of the case or of the code all the same.
test: setup ## Run the whole test suite
	@$(BIN)/pytest tests scenarios/test_fixtures.py -n $(WORKERS) --hypothesis-profile=thorough \
		--reruns 1 -rfEsxXR $(ARGS)

check: setup ## Format, lint, types, import contracts, unit tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/vpm lint scenarios
	@test ! -x $(BIN)/actionlint || $(BIN)/actionlint
	@$(BIN)/pytest tests/unit -q -n $(WORKERS)

format: setup ## Format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

unit: setup ## Run the unit tests alone
	@$(BIN)/pytest tests/unit -q $(ARGS)

conformance: setup ## Replay recordings of a real cluster: make conformance GOLDEN=folder
	@$(BIN)/python -m tests.embedded.conformance $(GOLDEN)

coverage: setup ## Write infra/embedded/COVERAGE.md from a run of tests/embedded
	@rm -rf .coverage-cases
	@VPM_COVERAGE=.coverage-cases $(BIN)/pytest tests/embedded -q -n $(WORKERS) $(ARGS)
	@$(BIN)/python -m tests.embedded.coverage .coverage-cases infra/embedded/COVERAGE.md

bench: setup ## Print the benchmarks' numbers
	@for bench in $(basename $(notdir $(wildcard tests/bench/bench_*.py))); do \
		echo "== $$bench"; $(BIN)/python -m tests.bench.$$bench || exit 1; done

nightly: setup ## Run the bounded SLI scenario and print the trend
	@$(BIN)/pytest scenarios/nightly_sli $(ARGS)

load: setup ## Run the load scenario
	@$(BIN)/pytest scenarios/load_hello $(ARGS)

lock: setup ## Write requirements.lock again from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet \
		--output-file requirements.lock

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
