# make help lists the targets. Variables:
#   MODE=local|compose   how to run the stack (compose where a Docker engine answers, else local)
#   OVERLAYS="ports gpu" layers of compose/ to put on top, in compose mode
#   ALL_IN_ONE=true      in local mode, start the all-in-one stage as well (port 8005)
#   START_SECONDS=300    how long `make up` waits until every stage is ready
#   PROMPT, OUT          what `make generate` draws, and the file that it writes (out/picture.png)

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help up down logs generate check check-compose test test-compose train-tiny lock clean

export MODE OVERLAYS ALL_IN_ONE START_SECONDS PROMPT OUT
export PYTHONPATH := $(CURDIR):$(CURDIR)/services
PYTHON := .venv/bin/python
COMPILE := .venv/bin/uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--quiet --override requirements/overrides.txt

help: ## Show this list.
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

up: ## Start the stack and wait until it is ready.
	@if [[ $$(scripts/stack.sh mode) == local ]]; then $(MAKE) --no-print-directory .venv/local.stamp; fi
	@scripts/stack.sh up

down: ## Stop the stack, however it runs.
	@scripts/stack.sh down

logs: ## Follow the logs of the stack.
	@scripts/stack.sh logs

generate: ## Draw a picture: make generate PROMPT="a red apple" OUT=apple.png
	@scripts/stack.sh generate

check: .venv/dev.stamp check-compose ## Format, lint, types, unit tests, compose files, shell scripts.
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTHON) -m pytest tests/unit
	bash -n scripts/*.sh .ci/run

check-compose:
	scripts/check_compose.sh

test: .venv/dev.stamp ## All tests but those that need a Docker engine.
	$(PYTHON) -m pytest --ignore tests/compose

test-compose: .venv/dev.stamp ## Build the images anew, start the stack in containers and use it.
	$(PYTHON) -m pytest tests/compose --timeout=1200 --capture=no --durations=10

train-tiny: .venv/training.stamp ## Train the built-in model anew (hours; can be stopped and resumed).
	$(PYTHON) -m training all

lock: .venv/dev.stamp ## Resolve requirements/*.in anew into hash-locked files.
	$(COMPILE) --universal --upgrade requirements/dev.in -o requirements/dev.txt
	for name in gateway stage local training; do \
		$(COMPILE) --universal -c requirements/dev.txt requirements/$$name.in -o requirements/$$name.txt; done
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --override requirements/overrides-gpu.txt \
		-c requirements/dev.txt requirements/stage-gpu.in -o requirements/stage-gpu.txt

clean: ## Remove the virtual environment, caches and logs (make down first).
	rm -rf .venv .run .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -r {} +

.venv/bin/python:
	scripts/make_venv.sh

.venv/%.stamp: requirements/%.txt | .venv/bin/python
	$(PYTHON) -m pip install --no-deps --require-hashes -r $<
	@touch $@
