# Every target installs what it needs: each works on a clean clone with Python >= 3.11 and make.
#   make demo    ask the bundled model about scenes it has never seen, write a page with drawings to out/
#   make studio  open the studio in the browser, with the bundled model
#   make test    linter, type checker and all tests
#   make bench   the benchmarks, each printing its report
#   make docs    the documentation as web pages, in out/site
# PYTHON=python3.12 make ... selects the interpreter for .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Byte code is made as modules are first imported, for most of the 20,000 that are installed never are, and kept even where
# the environment turns that off: tests start many processes.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt
# Stamps of installed dependencies: of the demo, of everything, of the documentation.
CORE := $(VENV)/.core-installed
FULL := $(VENV)/.all-installed
DOCS := $(VENV)/.docs-installed
SERVER := $(VENV)/.server-installed
REQUIREMENTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo studio test lint format unit bench docs clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Deixis needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(CORE): $(VENV)/pyvenv.cfg $(REQUIREMENTS)
	$(INSTALL) torch
	$(INSTALL) -e '.[world,video,fmri]'
	@touch $@

$(SERVER): $(CORE)
	$(INSTALL) -e '.[world,video,fmri,serve]'
	@touch $@

$(FULL): $(VENV)/pyvenv.cfg $(REQUIREMENTS)
	$(INSTALL) torch
	$(INSTALL) -e '.[all,dev]'
	@touch $(CORE) $@

# The documentation is built from the source, without PyTorch.
$(DOCS): $(VENV)/pyvenv.cfg $(REQUIREMENTS)
	$(INSTALL) 'mkdocs<2' mkdocs-material 'mkdocstrings[python]'
	@touch $@

setup: $(FULL)

demo: $(CORE)
	$(BIN)/deixis demo out

studio: $(SERVER)
	$(BIN)/deixis serve --open

test: lint unit

lint: $(FULL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --exit-zero-on-warning

format: $(FULL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One process per core, each with one thread: OpenMP threads of several processes would starve one another.
# Tests that compile the network run without the shape-checking hook (see pyproject.toml), beside the others: compiling
# keeps one core busy. Files are taken in the order of the tree, which ends with short ones, so that all cores end together.
unit: $(FULL)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts=--import-mode=importlib -m compile --quiet \
		tests/model/test_compile.py > $(VENV)/compile.log 2>&1 & compiling=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --quiet; others=$$?; \
	wait $$compiling; compiled=$$?; cat $(VENV)/compile.log; exit $$((others | compiled))

bench: $(FULL)
	@set -e; for script in benchmarks/*.py; do case $$script in */_*|*/measuring.py) ;; *) $(BIN)/python -m benchmarks.$$(basename $$script .py);; esac; done

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist out *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
