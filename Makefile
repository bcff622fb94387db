# Everything a contributor does, each command from nothing but Python 3.11+ and make. Read .venv/.*-ready as "was set up".

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --constraint requirements/lock.txt
JOBS ?= 0
SHOP := demo-shop
# All but timm, which brings a torchvision that has to be of torch's very build.
EXTRAS := report onnx transformers sentence export finetune balance mlflow tensorboard wandb search map review serve tracing client collect images cloud ray spark faiss
TORCH := 2.13.0
# What the gRPC interfaces have to stay compatible with: the last release, before the first one the last commit.
RELEASED ?= $(or $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null),HEAD)
comma := ,
space := $(subst ,, )

.PHONY: demo test check bench page docs lock triton clean help
.DEFAULT_GOAL := help

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*##/  make \1 /p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/.ready  ## a shop of its own: scrape it, then inspect, train, evaluate, predict and audit
	@sh docs/demo.sh $(BIN) $(SHOP)

test: .venv/.ready  ## all tests
	@$(BIN)/python -m pytest -n $(JOBS)

check: .venv/.ready  ## style, types, layers, gRPC interfaces, and whether the reference is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/protocol.py --check
	$(BIN)/buf lint
	$(BIN)/buf breaking --against '.git#ref=$(RELEASED)'

page:  ## build the review page's bundle anew (needs node)
	cd web && npm ci && npm run types && npm run build

docs: .venv/.ready  ## write docs/reference anew from the code
	$(BIN)/python docs/protocol.py
	$(BIN)/python docs/generate.py

bench: .venv/.bench-ready  ## Shelfwise beside LinearSVC and fastText on the catalogues in SHELFWISE_DATA
	$(BIN)/python benchmarks/text.py $(ARGS)

lock: .venv/.ready  ## choose the versions in requirements/lock.txt anew
	$(PIP) --group lock
	echo "torch==$(TORCH)" | $(BIN)/uv --quiet pip compile pyproject.toml --universal --python-version 3.11 --upgrade \
	  $(EXTRAS:%=--extra %) --constraint - --group build --group test --group check --group bench --group lock \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements/lock.txt

triton: .venv/.ready  ## ask the server with Triton's own clients, which need an environment of their own
	@test -x .triton/bin/python || $(BIN)/python -m venv .triton
	@.triton/bin/python -m pip -qq --disable-pip-version-check install --requirement requirements/triton.txt
	@$(BIN)/python -m pytest tests/test_serve_clients.py

clean:  ## forget the environment and everything that was built
	rm -rf .venv .triton build dist web/node_modules $(SHOP) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# pip itself comes from the lock (--group is new in pip 25.1), then the build tools, so that nothing is fetched unlocked.
.venv/.ready: pyproject.toml requirements/lock.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "Shelfwise needs Python 3.11 or newer"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Shelfwise needs Python 3.11 or newer, not $$("$(PYTHON)" --version); try make PYTHON=..."; exit 1; }
	@echo "Setting up .venv (once, some minutes)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(PIP) pip
	@$(PIP) --group build
	@$(PIP) --no-build-isolation --editable ".[$(subst $(space),$(comma),$(EXTRAS))]" --group test --group check
	@touch $@

.venv/.bench-ready: .venv/.ready
	@$(PIP) --group bench
	@touch $@
