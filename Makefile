# What people type. Everything runs in .venv, which `make` builds when pyproject.toml changes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TEXT ?= README.md
CONSTRAINTS := constraints.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

.PHONY: help demo test official-sdk interop lint codegen codegen-check codegen-diff contract-diff contract-deep bench bench-smoke clean

help:
	@echo "make demo            fine-tune on a text with the embedded server (TEXT=file, default README.md)"
	@echo "make test            install what the tests need and run them"
	@echo "make official-sdk    install the official SDK for the tests that compare this package with it"
	@echo "make interop         sessions with SkyRL, TuFT and Hatchery, and of four official SDKs with our server"
	@echo "make lint            contract, format, lint and types"
	@echo "make codegen         rebuild generated/ from openapi.yaml"
	@echo "make codegen-check   fail if generated/ is not what openapi.yaml gives"
	@echo "make codegen-diff    upstream's templates of the generator -> ours"
	@echo "make contract-diff   what openapi.yaml changes since BASE=<rev> (default: main), and the version it asks for"
	@echo "make contract-deep   schemathesis for long, with random seeds "
	@echo "make bench           compare with the official SDK on this machine; writes benchmarks/RESULTS.md"
	@echo "make bench-smoke     run each benchmark once, tiny"

# One stamp for each set of extras, so that the demo does not install the test tools.
$(VENV)/.demo: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) …"
	@$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 test")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) …"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py --text '$(TEXT)'

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

# In an environment of its own, under .cache; `make test` then runs the tests of tests/compat that need it too.
official-sdk: $(VENV)/.dev
	$(BIN)/python tests/compat/official.py

# Servers that others wrote, installed from their packages under .cache/interop: takes many minutes the first time.
interop: $(VENV)/.dev
	INTEROP=1 $(BIN)/python -m pytest tests/interop -m interop -s $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/openapi-spec-validator openapi.yaml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every operation with every fault, one by one, and thousands of random combinations; takes about half an hour.
faults-deep: $(VENV)/.dev
	FAULTS_DEEP=1 $(BIN)/python -m pytest tests/faults/test_matrix.py --timeout=0 -n auto $(ARGS)

codegen: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" ./codegen.sh

codegen-check: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" ./codegen.sh --check

contract-deep: $(VENV)/.dev
	CONTRACT_DEEP=1 $(BIN)/python -m pytest tests/contract -p no:randomly --timeout=0 $(ARGS)

# Upstream's templates, of the pinned version, against the forks in codegen/templates.
codegen-diff: $(VENV)/.dev
	@upstream=$$($(BIN)/python -c 'import openapi_python_client as o; print(o.__path__[0])')/templates; \
	cd codegen/templates && find . -name '*.jinja' | sort | while read -r file; do \
	  if [ -f "$$upstream/$$file" ]; then diff -u --label "upstream/$$file" --label "ours/$$file" "$$upstream/$$file" "$$file"; \
	  else echo "Only ours: $$file"; fi; done; true

# Fails if the version in `info` is not raised as far as the changes ask for.
contract-diff:
	@codegen/contract_diff.sh $(BASE)

# The benchmarks make environments of their own, one for each client (see benchmarks/environments.py).
bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-smoke: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py --smoke $(ARGS)

clean:
	rm -rf $(VENV) .cache demo-output
