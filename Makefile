# Everything a person or a machine does with this repository. `make` alone lists it.
#
# Nothing is left in the tree but tool caches: the Python environment, the built servers and the runs of the lab live in
# $NEO4J_DR_CACHE (default ~/.cache/neo4j-dr-operator).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

CACHE := $(or $(NEO4J_DR_CACHE),$(HOME)/.cache/neo4j-dr-operator)
# The first Python that is new enough; when there is none the doctor says so.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
KEY := $(shell { cat requirements-dev.txt pyproject.toml; $(or $(PYTHON),python3) -VV; pwd; } 2>/dev/null | sha256sum | cut -c1-16)
VENV := $(CACHE)/venv-$(KEY)
PY := $(VENV)/bin/python

# What can be built before the Python environment exists, beside it: most of a first run's time.
BUILDS := kube-apiserver etcd kubectl versitygw toxiproxy neo4j
PYTEST := $(PY) -m pytest
PYTEST_ARGS ?=
DEMO := $(if $(wildcard demo/__main__.py),demo,lab.demo)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- what comes first -------------------------------------------------------------------------------------------------
.PHONY: doctor
doctor: ## look for Go, JDK and Maven (in CI, and as root on Debian, install them)
	@if [ -z "$(PYTHON)" ]; then echo "lab: missing: python 3.11 or newer" >&2; exit 1; fi
	@$(PYTHON) -m lab doctor

.PHONY: doctor-image
doctor-image:
	@$(PYTHON) -m lab doctor --image

.PHONY: venv
venv: $(VENV)/.ready ## the Python environment, every package pinned by hash
	@:

$(VENV)/.ready:
	@mkdir -p $(CACHE)/locks; exec 9>$(CACHE)/locks/venv.lock; flock 9; [ ! -e $@ ] || exit 0; \
	echo "lab: python environment: installing" >&2; start=$$SECONDS; rm -rf $(VENV); \
	$(PYTHON) -m venv $(VENV); \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt; \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	touch $@; echo "lab: python environment: ready after $$((SECONDS - start)) s" >&2

# Run $(1) while the servers are being built; what is needed of them is waited for where it is needed.
define beside-builds
	@$(PYTHON) -m lab build $(BUILDS) & builds=$$!; \
	trap 'kill $$builds 2>/dev/null || true; wait $$builds 2>/dev/null || true' EXIT; \
	$(MAKE) venv; $(1)
endef

# -- see it ------------------------------------------------------------------------------------------------------------
.PHONY: demo
demo: doctor ## the story in the terminal: replication, repair, switchover, failover, API (CHAPTERS=..., KEEP=1)
	$(call beside-builds,CHAPTERS="$(CHAPTERS)" KEEP="$(KEEP)" $(PY) -m $(DEMO))

.PHONY: lab
lab: doctor ## start a control plane, two databases, S3 and proxies; leave them running
	$(call beside-builds,$(PY) -m lab up)

.PHONY: lab-down
lab-down: ## end the lab that was left running
	@$(PYTHON) -m lab down

# -- check it ----------------------------------------------------------------------------------------------------------
.PHONY: test
test: BUILDS += helm
test: doctor doctor-image ## lint and every layer of tests, fast to slow; in CI the later ones run whatever failed before
	$(call beside-builds,$(MAKE) $(if $(CI),-k) lint test-unit test-lanes)

# What takes long, in two lanes: neither keeps two cores busy, since much of it is waiting for time to pass.
.PHONY: test-lanes
test-lanes: doctor venv
	@$(PYTHON) -m lab.lanes "databases=$(MAKE) test-database" \
	  "operator=$(MAKE) test-lab test-apiserver test-image test-scenario"

# A layer is a directory under tests/; one that is not there, or holds no test, passes.
define layer
	@for part in $(1); do [ -d tests/$$part ] || continue; echo "== tests/$$part"; \
	  $(PYTEST) $(2) $(PYTEST_ARGS) tests/$$part || { code=$$?; [ $$code = 5 ] || exit $$code; }; done
endef

.PHONY: test-unit test-lab test-database test-apiserver test-image test-scenario
test-unit: venv ## pure parts: unit, guide, property, simulation
	$(call layer,unit guide property simulation,-n 2)
test-lab: doctor venv ## the lab's own components
	$(call layer,lab)
test-database: doctor venv ## against real databases
	$(call layer,database)
test-apiserver: doctor venv ## against a real Kubernetes API
	$(call layer,apiserver)
test-image: doctor doctor-image venv ## the image, built and started as its own user (root on Linux; else skipped)
	$(call layer,image)
test-scenario: doctor venv ## the whole operator, faults included
	$(call layer,scenario)

.PHONY: lint
lint: venv ## ruff, mypy, import contracts, drift of the manifests
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict neo4j_dr_operator lab $(wildcard demo)
	@if grep -q '^\[tool.importlinter\]' pyproject.toml; then $(VENV)/bin/lint-imports; fi
	@$(PY) -m neo4j_dr_operator crds --check --docs docs/api.md crds

.PHONY: crds
crds: venv ## write crds/ anew from the models
	@$(PY) -m neo4j_dr_operator crds --docs docs/api.md crds

.PHONY: manifests
manifests: crds ## write what is made from crds/ and the chart: the chart's definitions, deploy/manifests
	@$(PY) -m lab.manifests

.PHONY: bench
bench: doctor ## rates and lags, table and JSON (PARTS="apply lag ...")
	$(call beside-builds,$(PY) -m tests.bench $(PARTS))

.PHONY: soak
soak: doctor ## the long ones: cuts of minutes, two million elements, every crash, many seeds (an hour or two)
	$(call beside-builds,NEO4J_DR_CUT_SECONDS=300 $(PYTEST) tests/scenario/test_votes.py -k operators_path \
	  && NEO4J_DR_SEEDS=20000 $(PYTEST) tests/simulation \
	  && NEO4J_DR_SEED_ELEMENTS=2000000 $(PYTEST) -s tests/database/test_seed.py -k under_load \
	  && NEO4J_DR_KILLS=400 $(PYTEST) -s tests/database/test_crash.py \
	  && NEO4J_DR_GRAPHS=100 $(PYTEST) -s tests/database/test_random_graphs.py \
	  && NEO4J_DR_CUT_SECONDS=1800 $(PYTEST) -s tests/database/test_wan.py -k cut_longer \
	  && NEO4J_DR_CRASHES=all $(PYTEST) -s tests/database/test_crash_matrix.py)

# -- tidy up -----------------------------------------------------------------------------------------------------------
.PHONY: clean
clean: ## end what dead runs left, forget logs and tool caches (what was built stays)
	@$(or $(PYTHON),python3) -m lab clean
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
