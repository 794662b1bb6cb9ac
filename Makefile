# Everything that is done to this checkout. `make help` lists it.
PY := .venv/bin/python
OTKLIK := $(PY) -m deploy.cli
READY := .venv/.ready
WEB := $(foreach folder,console snippet,$(if $(wildcard $(folder)/package-lock.json),.venv/.$(folder)))
CODE := schemas runtime services deploy $(wildcard bench tests)

# Tests and local runs start the same modules hundreds of times: compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup up down logs status demo hillstrom test check fmt lock bench bench-large chaos mutants test-long explore check-deploy clickhouse rebuild

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

setup: $(READY) $(WEB) ## install what is missing into .venv, with pinned hashes; the second time at once

$(READY): requirements-dev.lock deploy/local/setup.sh deploy/local/kafka/pom.xml deploy/local/kafka/jars.sha256
	@sh deploy/local/setup.sh
	@touch $@

.venv/.%: $(READY) $(shell find console snippet -path '*/node_modules' -prune -o -path '*/dist' -prune -o -type f -print 2>/dev/null)
	@echo "building $*"
	@cd $* && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

up: setup ## start everything on this machine, wait until it is ready, print the addresses
	@$(OTKLIK) up

down: $(READY) ## stop everything
	@$(OTKLIK) down

logs: $(READY) ## follow all logs
	@$(OTKLIK) logs

status: $(READY) ## what runs, since when, and whether it is ready
	@$(OTKLIK) status

demo: setup ## fill it with the sample shop and show the way of its facts
	@$(PY) -m deploy.demo

hillstrom: setup ## import a published test of 64,000 letters and hold its report against other libraries; takes some minutes
	@$(PY) -m deploy.hillstrom

rebuild: $(READY) ## make derived state anew in an empty database and compare it with the live one
	@$(OTKLIK) rebuild

# One alone waits for its servers half of the time: three side by side, each with servers of its own, keep two cores busy. Of about one length.
FIRST = $(addprefix tests/,cases demo segmenter/unit)
SECOND = $(addprefix tests/,audience bench chaos deploy experiments gateway rebuilding schemas sender)

test: setup ## every test but five (`test-long`), on a real Kafka and PostgreSQL of their own
	@$(PY) -m pytest -q $(FIRST) > .venv/first.txt 2>&1 & first=$$!; \
		$(PY) -m pytest -q $(SECOND) > .venv/second.txt 2>&1 & second=$$!; \
		$(PY) -m pytest -q tests $(addprefix --ignore=,$(FIRST) $(SECOND)); code=$$?; \
		wait $$first || code=1; wait $$second || code=1; cat .venv/first.txt .venv/second.txt; exit $$code

check: $(READY) ## format, lint, types, who may import whom, file sizes, generated schemas
	@.venv/bin/ruff format --check --quiet $(CODE) || { echo "not formatted: run make fmt"; exit 1; }
	@.venv/bin/ruff check --quiet $(CODE)
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports > .venv/lint-imports.txt || { cat .venv/lint-imports.txt; exit 1; }
	@$(PY) -m deploy.local.sizes
	@$(PY) -m schemas.generate --check

fmt: $(READY) ## format, mend what can be mended, generate the schemas
	@.venv/bin/ruff format --quiet $(CODE)
	@.venv/bin/ruff check --fix --quiet $(CODE)
	@$(PY) -m schemas.generate

LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" --no-emit-index-url --no-emit-find-links

lock: $(READY) ## write the lock files anew from pyproject.toml; UPGRADE=--upgrade takes newer versions
	@$(LOCK) $(UPGRADE) pyproject.toml --extra local -o requirements.lock
	@$(LOCK) pyproject.toml --constraint requirements.lock -o requirements-image.lock
	@$(LOCK) $(UPGRADE) pyproject.toml --all-extras -o requirements-dev.lock
	@$(LOCK) deploy/check/tools.in -o deploy/check/tools.lock
	@$(LOCK) $(UPGRADE) tests/clickhouse/chdb.in --constraint requirements-dev.lock --no-emit-package numpy --no-emit-package pyarrow \
		--no-emit-package python-dateutil --no-emit-package six --no-emit-package tzdata -o requirements-clickhouse.lock

bench: setup ## how much it takes and how fast, on this machine
	@$(PY) -m bench

bench-large: setup ## the same with a large shop; takes long
	@$(PY) -m bench --large

test-long: setup ## five more that take minutes: a whole run is killed and recovered, the demo played twice, the segmenter run twice, one more history rebuilt, Ctrl-C
	@$(PY) -m pytest -q -m long tests

explore: setup ## the properties, with examples that were never tried; N=10 times
	@for n in $$(seq $(or $(N),10)); do OTKLIK_TEST_EXAMPLES=new $(PY) -m pytest -q -m hypothesis tests || exit 1; done

chaos: setup ## kill everything at every step and count what was lost or doubled
	@$(PY) tests/chaos/run.py

mutants: setup ## break the rules on purpose: the tests must turn red
	@$(PY) tests/mutants/run.py

check-deploy: setup ## compose file, chart and image
	@sh deploy/check.sh

# A folder of packages beside those of .venv, where the rest of what they need is: more than all others together, and for this check alone.
CHDB := .otklik/clickhouse

clickhouse: setup $(CHDB)/.ready ## run the statements of docs/clickhouse.md (installs 500 MB the first time)
	@PYTHONPATH=$(CHDB):. $(PY) -m pytest -q tests/clickhouse/agrees.py

$(CHDB)/.ready: requirements-clickhouse.lock
	@rm -rf $(CHDB)
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $(CHDB) -r requirements-clickhouse.lock
	@touch $@
