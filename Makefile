# What a person types, and what CI runs. Nothing here needs a GPU.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt
PIP := $(BIN)/python $(INSTALL)
RIVALS := build/benchmark-venv

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format benchmark clean programs

help:  ## this list
	@grep -E '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

# Two stamps: the demo needs what a user installs, the tests need the tools as well.
.venv/local: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) -e '.[local]'
	touch $@

.venv/dev: .venv/local
	$(PIP) -e '.[dev]'
	touch $@

.venv: .venv/dev  ## the virtual environment for development

demo: .venv/local  ## diagnose the bundled example
	$(BIN)/diagnoser demo --out build/demo
	@echo 'The reports:'
	@find build/demo -name 'report.html' | sort

lint: .venv/dev  ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev  ## apply what can be applied
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint programs  ## everything that needs neither minutes nor a GPU
	$(BIN)/pytest -m 'not gpu and not slow' -n 2

test-slow: .venv/dev programs  ## the tests that take minutes
	$(BIN)/pytest -m 'slow and not gpu' -n 2

# Reports are opened in a real browser, the ledger lives in a real Redis, and children run behind real walls: the
# operating system's own.
programs:
	@missing=; for each in chromium:chromium redis-server:redis-server bwrap:bubblewrap; do \
	  command -v "$${each%%:*}" >/dev/null || missing="$$missing $${each##*:}"; done; \
	[ -z "$$missing" ] || { \
	  if [ "$$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null; then root=sudo; \
	  else echo "missing, and we cannot install it:$$missing. Their tests will say so"; exit 0; fi; \
	  $$root apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

# The tools that we are held against bring a hundred packages, among them an old setuptools and a torchvision that need
# not fit this torch: they stay away from the environment that the tests run in.
$(RIVALS)/installed: pyproject.toml constraints.txt
	test -x $(RIVALS)/bin/python || $(PYTHON) -m venv $(RIVALS)
	$(RIVALS)/bin/python $(INSTALL) torch==2.13.0
	$(RIVALS)/bin/python $(INSTALL) -e '.[benchmark]'
	touch $@

benchmark: $(RIVALS)/installed  ## ours beside the others, one table of ratios; DATA=folder adds MNIST, QUICK=1 is short
	$(RIVALS)/bin/python -m benchmarks $(if $(QUICK),--quick) $(if $(DATA),--data '$(DATA)')

# Every case is a whole diagnosis: both corpora take about two hours on two cores. ONLY=ID,... picks cases, PART=development
# leaves the held-out third of ours aside, MORE='--baselines --seeds 0,1,2' is passed on.
.PHONY: benchmark-faults proof
benchmark-faults: .venv/dev  ## is the diagnosis right? runs the corpus of known faults; CORPUS=folder adds another
	$(BIN)/python -m tests.faults.build build/faults/own
	$(BIN)/python -m benchmarks.faults build/faults/own $(if $(CORPUS),'$(CORPUS)') --keep build/faults/kept \
	  $(if $(ONLY),--only '$(ONLY)') $(if $(PART),--part '$(PART)') $(MORE)

proof: .venv/dev  ## docs/proof.md, rules/proven.json: every rule against real programs; runs what of benchmark-faults is missing
	$(MAKE) benchmark-faults MORE='--missing $(MORE)'
	$(BIN)/python -m benchmarks.proof build/faults/kept --out docs/proof.md --ledger rules/proven.json

clean:  ## remove what was built, the environment too
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
