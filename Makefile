# `make` alone lists the targets. Needs Python 3.11 or newer and make; the rest goes into .venv.

PYTHON ?= python3
UV ?= uv
RUNTIME ?=
SLOTS ?=
WORKERS ?=
CPUS ?=
MEMORY_MIB ?=
OBSERVE ?=
SIDES ?=
ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
# Where a stack runs, and how large it is.
IN = $(if $(RUNTIME),--runtime $(RUNTIME))
SIZE = $(if $(SLOTS),--slots $(SLOTS)) $(if $(WORKERS),--workers $(WORKERS)) \
	$(if $(CPUS),--cpus $(CPUS)) $(if $(MEMORY_MIB),--memory-mib $(MEMORY_MIB))

# What pip and Python would read by themselves, and then install elsewhere or import from there.
# Where packages come from (PIP_INDEX_URL and the like) stays the user's.
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_DEPS \
	PIP_PYTHON PIP_REQUIRE_VIRTUALENV PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
BUF := node_modules/.bin/buf
MERMAID := node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js
DOCS := .venv-docs
DOCS_LOCK := docs/site/requirements.lock

## Run
##   make compare        A and B under the same traffic, side by side: the main job;
##                       SIDES="a a+lease=10" compares any others
##   make up-a, up-b     start a design and wait until it serves: in containers where an engine
##                       answers, else as processes; RUNTIME=local or compose decides by hand,
##                       SLOTS=24 gives more job slots, WORKERS=3 more workers (design A),
##                       CPUS=6 and MEMORY_MIB=6144 the budget of all containers together,
##                       OBSERVE=1 a Prometheus that watches local processes
##   make load           Locust's web UI on the stack that is up; OBSERVE=1 for its metrics
##   make status         what is up, where, is it healthy?
##   make down           stop everything
##   make faults         inject faults into both designs: is an accepted job lost? About an hour and a half;
##                       testbed faults lists shorter plans
##   make bench          jobs/s and calls/s as ratios to a bare echo server, and who calls whom for a job

.PHONY: compare faults bench status down load
compare: $(READY)
	@$(BIN)/testbed compare $(SIDES) $(IN) $(SIZE) $(ARGS)

faults: $(READY)
	@$(BIN)/testbed faults stateless $(ARGS)
	@$(BIN)/testbed faults state $(ARGS)

bench status: $(READY)
	@$(BIN)/testbed $@ $(ARGS)

# Not phony, for that excludes patterns; no file has such a name.
up-%: $(READY)
	@$(BIN)/testbed up $* $(IN) $(SIZE) $(if $(OBSERVE),--observe) $(ARGS)

down: $(READY)
	@$(BIN)/testbed down $(ARGS)

load: $(READY)
	@$(BIN)/locust -f locustfiles/mixed.py $(if $(OBSERVE),--metrics-port 51070) $(ARGS)

## Check
##   make test           the tests that need Python and make alone, in a few minutes; ARGS="-k lease"
##                       for some, SIDE_BY_SIDE=6 for so many processes that run tests
##   make test-all       all tests, also whole runs and large proofs. Those that need more, such as a
##                       container engine, git or Prometheus, run where it is there and are skipped
##                       with the reason where not; TESTBED_REQUIRE_ALL=1 makes what is missing a failure
##   make test-rest      only those that make test leaves out
##   make check          all that follows, then all tests
##   make lint           style and format
##   make types          types
##   make imports        who may import whom
##   make verify         what is generated is up to date: stubs, manifests, scrape configuration,
##                       dashboards; buf lint

.PHONY: test test-all test-rest check lint types imports verify
# What a test needs, its mark says; tests/support/needs.py knows the names. The short tests wait for
# much of their time, so there is one process more than a small machine has cores.
test: SIDE_BY_SIDE ?= 3
test-all test-rest: SIDE_BY_SIDE ?= 2
PYTEST = $(BIN)/pytest -q -n $(SIDE_BY_SIDE) --dist loadscope

test: $(READY)
	@$(PYTEST) -m "not needs and not slow" $(ARGS)

test-all: $(READY)
	@$(PYTEST) $(ARGS)

test-rest: $(READY)
	@$(PYTEST) -m "needs or slow" $(ARGS)

check: lint types imports verify test-all

lint: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { \
		echo "the format differs: run $(BIN)/ruff format" >&2; exit 1; }

types: $(READY)
	@$(BIN)/mypy
# Locust puts the directory of its files on the path, so the package in there is a top-level one.
	@MYPYPATH=locustfiles $(BIN)/mypy --explicit-package-bases locustfiles
# grpcio-tools has no types.
	@$(BIN)/mypy --disable-error-code import-untyped proto/generate.py

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

verify: generated
	@if [ -x $(BUF) ] || command -v npm >/dev/null; then $(MAKE) --no-print-directory buf; \
	else echo "buf lint: skipped, it needs node and npm"; fi

.PHONY: generated buf
generated: $(READY)
	@$(BIN)/python proto/generate.py --check
	@$(BIN)/testbed manifest --check
	@$(BIN)/python -m testbed.stack.observability --check

buf: $(BUF)
	@$(BUF) lint && echo "the stubs and the style of the contract are right"

# Not `npm ci`: that refuses a lock file without buf's packages for other systems.
$(BUF) $(MERMAID): package-lock.json
	@npm install --no-save --silent --no-audit --no-fund
	@touch $@

## Maintain
##   make secret         what the processes of a stack know each other by, for `docker compose` called by hand
##   make docs           build the pages of docs/ into site/; a link that leads nowhere fails
##   make generate       write the stubs, the manifests of containers, what Prometheus scrapes, the
##                       dashboards, the page of options, the index of decisions and the line numbers of the
##                       code tour
##   make lock           write the lock files from pyproject.toml; needs uv
##   make clean          stop everything, remove caches, logs and the site; keeps environments and
##                       results

.PHONY: docs secret generate lock clean help
docs: $(DOCS)/.ready
	@$(MAKE) --no-print-directory --silent $(MERMAID) 2>/dev/null || \
		echo "diagrams are shown as their source: drawing them needs npm"
	@$(DOCS)/bin/python -m mkdocs build --strict
	@echo "wrote site/index.html"

# What builds the site is nothing that the project itself needs.
$(DOCS)/.ready: $(DOCS_LOCK)
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r $(DOCS_LOCK)
	@touch $@

secret: $(READY)
	@$(BIN)/python -m testbed.stack.runtimes.secret

generate: $(READY)
	@$(BIN)/python proto/generate.py
	@$(BIN)/testbed manifest --write
	@$(BIN)/python -m testbed.stack.observability
	@$(BIN)/python -m docs.site.decisions
	@$(BIN)/python -m docs.site.options
	@$(BIN)/python -m docs.site.tour

COMPILE = $(UV) pip compile --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv" >&2; exit 1; }
	@$(COMPILE) pyproject.toml --extra load --extra testbed --extra dev -o requirements.lock
# The image's part of it, with the same versions.
	@$(COMPILE) pyproject.toml --constraints requirements.lock -o compose/stack.lock
	@$(COMPILE) pyproject.toml --constraints requirements.lock --extra load -o compose/load.lock
	@$(COMPILE) --group docs -o $(DOCS_LOCK)
	@echo "wrote requirements.lock, compose/stack.lock, compose/load.lock and $(DOCS_LOCK)"

clean:
	@if [ -x $(BIN)/testbed ]; then $(BIN)/testbed down; fi
	@rm -rf site .testbed .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path './node_modules/*' \
		-prune -exec rm -rf {} +

help:
	@sed -n 's/^## \{0,1\}//p' $(MAKEFILE_LIST)

# The environment is made once, and again when what it is made from changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not that:" \
		"name one with make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making the environment in .venv: once, about a minute"
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --config-settings editable_mode=compat -e .
	@touch $@
