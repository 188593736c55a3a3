# Everything a person needs to do here. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
export PYTHONPATH := e2e:images:operator:services
CLUSTER := $(PYTHON) -m cluster
# Node and npm come with .venv: the machine needs none.
NPM := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix web --no-fund --no-audit
IMAGES := $(PYTHON) -m builder
# What checkouts share, so that a fresh one need not begin from nothing.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/studio-operator
STAGE := $(PYTHON) -m stage

##@ The main job
up: foundations cluster-up load ## A cluster if none is at hand, images, the operator, an example assistant trained and answering
	@$(STAGE) operator
	@$(STAGE) example

down: .venv ## Remove all that `make up` made: the local cluster, or from the cluster of KUBECONFIG example and operator
	@$(STAGE) down
	@$(CLUSTER) down

open: .venv ## Open the Studio's public address on this machine (NAMESPACE= for another than the example's)
	@$(STAGE) open $(if $(NAMESPACE),--namespace $(NAMESPACE))

chat: .venv ## Talk to the example assistant (NAMESPACE=, ASSISTANT=, MESSAGE= for another)
	@$(STAGE) chat $(if $(NAMESPACE),--namespace $(NAMESPACE)) $(if $(ASSISTANT),--assistant $(ASSISTANT)) $(if $(MESSAGE),--message "$(MESSAGE)")

example: .venv ## Apply the example assistant as it is in this checkout (NAMESPACE= for another than its own)
	@$(STAGE) example $(if $(NAMESPACE),--namespace $(NAMESPACE))

##@ Tests
test: .venv ## Everything: gates and unit tests, then end to end on a real cluster, which goes again if it was not there
	@$(MAKE) --no-print-directory gates
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory foundations
	@if $(CLUSTER) status >/dev/null 2>&1; then end=true; else end="$(MAKE) down"; fi; \
	  $(MAKE) --no-print-directory test-cluster && $(MAKE) --no-print-directory test-e2e && \
	  { said=$$($$end 2>&1) || { echo "$$said" >&2; exit 1; }; }

gates: .venv web/node_modules ## `check` and `web` beside each other
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check web

check: .venv ## Formatter, linter, types, import rules, generated files
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --cache-dir $(CACHE)/mypy operator/studio_operator services/studio images/builder e2e bench
	@.venv/bin/mypy --cache-dir $(CACHE)/mypy tests
	@.venv/bin/lint-imports
	@$(PYTHON) -m studio_operator.api.crdgen --check
	@$(PYTHON) -m stage.chart --check
	@$(PYTHON) -m studio.backend.openapi --check
	@$(PYTHON) bench/render.py --check

web: web/node_modules ## Check the web client: linter, generated types, types, tests, build, size of the first load
	@$(NPM) run --silent check

web/node_modules: .venv web/package-lock.json
	@$(NPM) ci --ignore-scripts --silent
	@touch web/node_modules

programs: .venv ## Install PostgreSQL, nginx, Java and Maven for the unit tests, if they are missing
	@test -n "$$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" || command -v initdb >/dev/null || $(CLUSTER) packages postgresql-15
	@command -v nginx >/dev/null || $(CLUSTER) packages nginx-light
	@command -v java >/dev/null || $(CLUSTER) packages openjdk-17-jre-headless
	@command -v mvn >/dev/null || $(CLUSTER) packages maven

browser: .venv ## Install Chromium for the end-to-end tests, if it is missing
	@command -v chromium >/dev/null || $(CLUSTER) packages chromium

test-unit: programs ## Fast tests, no cluster
	@$(PYTHON) -m pytest tests --numprocesses=4 --dist=loadfile --no-loadscope-reorder

test-cluster: .venv ## What the local cluster does to this machine, and that it goes away whole
	@$(MAKE) --no-print-directory cluster-programs
	@$(PYTHON) -m pytest e2e/machine

test-e2e: browser cluster-up load web/node_modules ## End to end on the cluster at hand, in a real browser, too
	@$(STAGE) operator
	@$(PYTHON) -m pytest e2e/tests --verbose --numprocesses=2 --dist=loadfile --no-loadscope-reorder

bench-first-chat: cluster-up load ## Measure the first chat; writes bench/results/first-chat.json and docs/measurements.md
	@$(STAGE) operator
	@$(PYTHON) bench/first_chat.py
	@$(PYTHON) bench/render.py

bench-studio: cluster-up load web ## Measure the whole studio; writes bench/results/studio.json and docs/measurements.md
	@$(STAGE) operator
	@$(PYTHON) bench/whole_studio.py
	@PYTHONPATH=$(PYTHONPATH):. $(PYTHON) bench/ingestion.py
	@$(PYTHON) bench/render.py

bench-model-service: cluster-up load ## Measure the model service; writes bench/results/model-service.json and docs/measurements.md
	@$(STAGE) operator
	@PYTHONPATH=$(PYTHONPATH):. $(PYTHON) bench/model_service.py
	@$(PYTHON) bench/render.py

##@ Parts
# Go keeps all cores busy, an image hardly one.
foundations: .venv ## Build the local cluster's programs and the images beside each other, as far as they are not there
	@$(CLUSTER) check
	@$(MAKE) --no-print-directory --jobs=2 cluster-programs images

cluster-programs: .venv
	@test "$$($(CLUSTER) provider)" != local || $(CLUSTER) tools

images: .venv ## Build the images whose inputs changed
	@$(IMAGES) build

load: .venv ## Build them and hand them to the cluster
	@$(IMAGES) load

cluster-up: .venv ## The cluster alone: KUBECONFIG if set, kind where a Docker daemon answers, else a local node
	@$(CLUSTER) up

cluster-down: .venv ## Remove the local cluster
	@$(CLUSTER) down

kubeconfig: .venv ## Print the path of the cluster's kubeconfig
	@$(CLUSTER) kubeconfig

operator: .venv ## Install or upgrade the operator on the cluster at hand
	@$(STAGE) operator

##@ Development
generate: .venv ## Regenerate CRDs, the API reference, the manifests, the OpenAPI document and the measurements page
	@$(PYTHON) -m studio_operator.api.crdgen
	@$(PYTHON) -m stage.chart
	@$(PYTHON) -m studio.backend.openapi
	@$(PYTHON) bench/render.py
	@$(MAKE) --no-print-directory web/node_modules
	@$(NPM) run --silent generate

format: .venv ## Format the code and mend what the linter can
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

lock: .venv ## Resolve the dependencies again, with hashes
	@for group in operator services cli dev; do \
	  .venv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --group $$group --output-file requirements/$$group.txt || exit 1; done

# uv itself comes first, by pip, at the version that dev.txt locks.
.venv: requirements/dev.txt requirements/node.txt
	@command -v python3 >/dev/null || { echo "error: python3 is missing: install Python 3.11 or newer with venv" >&2; exit 1; }
	@test -x .venv/bin/uv || { python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes -r requirements/uv.txt; }
	@.venv/bin/uv pip sync --quiet --python $(PYTHON) requirements/uv.txt requirements/dev.txt requirements/node.txt
	@touch .venv

help: ## This list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  make %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up down web open chat example test gates check programs browser test-unit test-cluster test-e2e bench-first-chat bench-studio bench-model-service foundations cluster-programs images load cluster-up cluster-down kubeconfig operator generate format lock help
