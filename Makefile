# make help lists the targets. Variables:
#   MODE=local|compose   how to run the stack (compose where a Docker engine answers, else local)
#   OVERLAYS="ports gpu" layers of compose/ to put on top, in compose mode and on a swarm
#   ALL_IN_ONE=true      in local mode, start the all-in-one stage as well (port 8005)
#   START_SECONDS=300    how long `make up` waits until every stage is ready
#   MODEL, VAE, LORA     which weights, and where MODELS_DIR=models is their folder (README.md has all settings)
#   STAGE, NAMESPACE     which stage becomes an endpoint, and whose (README.md has the rest)
#   PARITY_BACKENDS="openvino:1 jax"  those that `make test-parity` compares with keras-cv, of version 1 or of both;
#                        all, unless set
#   WITHOUT=tests/unit   leaves these tests out of `make test`, where `make check` has run them
#   TRIPTYCH_KEY         the key of a gateway that asks for one, for make up and make generate
#   FUZZ_SECONDS=600     how long `make fuzz` is guided by coverage
#   PROMPT, OUT          what `make generate` draws, and the file that it writes (out/picture.png)

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help up local-packages javascript-clients down logs generate download bundle deploy check check-compose audit sbom test test-parity test-compose faults fuzz test-charts swarm-up swarm-down test-swarm train-tiny lock clean

export MODE OVERLAYS ALL_IN_ONE START_SECONDS PROMPT OUT
export PYTHONPATH := $(CURDIR):$(CURDIR)/services
PYTHON := .venv/bin/python
NODE_PACKAGES := tests/clients/js/node_modules/.package-lock.json
SHARED_OUT := -n 2 --dist loadfile
DIFFUSERS := tests/parity/test_checkpoints_against_diffusers.py
COMPILE := .venv/bin/uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--quiet --upgrade --override requirements/overrides.txt
WITHOUT_KERAS_CV := --override requirements/overrides-keras-cv.txt

help: ## Show this list.
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

up: local-packages ## Start the stack and wait until it is ready.
	@scripts/stack.sh up

local-packages:
	@if [[ $$(scripts/stack.sh mode) == local ]]; then $(MAKE) --no-print-directory .venv/local.stamp; fi

down: ## Stop the stack, however it runs.
	@scripts/stack.sh down

logs: ## Follow the logs of the stack.
	@scripts/stack.sh logs

generate: ## Draw a picture: make generate PROMPT="a red apple" OUT=apple.png
	@scripts/stack.sh generate

download: local-packages ## Download the weights of SD_VERSION, MODEL, VAE and LORA ahead of the first start.
	@scripts/stack.sh download

bundle: .venv/local.stamp ## Write a stage as a repository for a Hugging Face Endpoint: make bundle STAGE=diffusion SD_VERSION=1.4
	@$(PYTHON) -m endpoints bundle

deploy: .venv/local.stamp ## Make an endpoint of it: make deploy STAGE=diffusion NAMESPACE=you (DRY_RUN=false does it)
	@$(PYTHON) -m endpoints deploy

check: .venv/dev.stamp check-compose audit ## Format, lint, types, unit tests, compose files, shell scripts, known vulnerabilities.
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTHON) -m pytest $(SHARED_OUT) tests/unit
	bash -n scripts/*.sh .ci/run

check-compose:
	scripts/check_compose.sh

audit: .venv/dev.stamp .venv/audit.stamp ## Look for known vulnerabilities in the locked packages; warns where PyPI does not answer.
	$(PYTHON) scripts/audit.py

sbom: .venv/dev.stamp .venv/audit.stamp ## Write what each image installs as a CycloneDX bill of materials, under build/sbom.
	@mkdir -p build/sbom
	@set -e; for name in gateway stage stage-gpu stage-jax stage-torch; do \
		PYTHONWARNINGS=ignore .venv/bin/cyclonedx-py requirements requirements/$$name.txt --pyproject pyproject.toml \
			--output-reproducible -o build/sbom/$$name.json; \
		echo "build/sbom/$$name.json"; done

test: .venv/dev.stamp javascript-clients ## All tests but those of the full models and those that need a Docker engine.
	$(PYTHON) -m pytest $(SHARED_OUT) --ignore tests/parity --ignore tests/compose --ignore tests/charts --ignore tests/swarm \
		$(WITHOUT:%=--ignore %)

javascript-clients:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_PACKAGES); \
	else echo "npm is not installed: the tests of clients in JavaScript are skipped"; fi

# The scripts of packages that want to download or compile are not needed.
$(NODE_PACKAGES): tests/clients/js/package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --prefix tests/clients/js
	@touch $@

test-parity: .venv/parity.stamp ## diffusers as a client; the full models, beside keras-cv and diffusers (12 GB of memory); installs PyTorch and JAX.
	KERAS_BACKEND=$${KERAS_BACKEND:-openvino} $(PYTHON) -m pytest $(DIFFUSERS) --timeout=1800 --durations=10
	$(PYTHON) -m pytest tests/clients/test_diffusers_remote.py
	$(PYTHON) -m pytest tests/parity --ignore $(DIFFUSERS) --timeout=1800 --durations=10

test-compose: .venv/dev.stamp ## Build the images anew, start the stack in containers and use it.
	$(PYTHON) -m pytest tests/compose --timeout=1200 --capture=no --durations=10

test-charts: .venv/dev.stamp .venv/charts.stamp ## The Helm chart, rendered by helm and held to Kubernetes' schemas.
	$(PYTHON) -m pytest tests/charts

test-swarm: .venv/dev.stamp ## Three Docker engines on this machine as a swarm, and the stack on it (root; minutes).
	$(PYTHON) -m pytest tests/swarm --timeout=1200 --capture=no --durations=10

swarm-up: ## Start or update the stack on several machines; on a manager of a Docker swarm (docs/operations/machines.md).
	@scripts/swarm.sh up

swarm-down: ## Remove it there.
	@scripts/swarm.sh down

faults: .venv/dev.stamp ## Make every fault in a real stack, and write docs/operations/faults.md (a quarter of an hour).
	$(PYTHON) -m tests.faults

fuzz: .venv/fuzz.stamp ## Look for input that is not refused as it must be; installs Atheris (Linux on x86-64).
	$(PYTHON) -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),600)

train-tiny: .venv/training.stamp ## Train the built-in model anew (minutes on an accelerator; can be stopped and resumed).
	$(PYTHON) -m training all

lock: .venv/dev.stamp ## Resolve requirements/*.in anew into hash-locked files.
	$(COMPILE) $(WITHOUT_KERAS_CV) --universal requirements/dev.in -o requirements/dev.txt
	compile() { $(COMPILE) -c requirements/dev.txt requirements/$$1.in -o requirements/$$1.txt "$${@:2}"; }; set -e; \
	for name in uv gateway stage stage-jax local training audit fuzz; do compile $$name --universal $(WITHOUT_KERAS_CV); done; \
	for name in stage-gpu stage-torch; do \
		compile $$name --python-platform x86_64-manylinux_2_28 $(WITHOUT_KERAS_CV); done; \
	compile charts --python-platform x86_64-manylinux_2_28 --override requirements/overrides-charts.txt; \
	compile parity --universal --override requirements/overrides-parity.txt $(WITHOUT_KERAS_CV); \
	compile benchmarks --universal --override requirements/overrides-parity.txt
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --override requirements/overrides-parity.txt \
		--override requirements/overrides-optimum.txt requirements/optimum.in -o requirements/optimum.txt

clean: ## Remove the virtual environment, caches and logs (make down first).
	rm -rf .venv .run .mypy_cache .pytest_cache .ruff_cache tests/clients/js/node_modules
	find . -name __pycache__ -type d -prune -exec rm -r {} +

.venv/bin/python:
	scripts/make_venv.sh

.venv/parity.stamp .venv/benchmarks.stamp: .venv/torch.stamp

# Before the locked rest, which then puts right what its own dependencies changed; requirements/parity.in says why.
.venv/torch.stamp: | .venv/uv.stamp
	$(PYTHON) scripts/install.py torch==2.13.0
	@touch $@

.venv/uv.stamp: requirements/uv.txt | .venv/bin/python
	$(PYTHON) -m pip install --no-deps --require-hashes -r $<
	@touch $@

.venv/%.stamp: requirements/%.txt | .venv/uv.stamp
	$(PYTHON) scripts/install.py --no-deps --require-hashes -r $<
	@touch $@
