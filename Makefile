# Mailseal: `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
ROOMS := api ca cli db formats keys migrations net services smime
PYTHON ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CAN_RUN := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
say = printf 'mailseal: %s\n' $(1)
# One line that says what is wrong and what to do; make itself then exits with 2.
stop = { printf 'error: %s\nhint: %s\n' $(1) $(2) >&2; exit 2; }

.PHONY: help run test check fix bench lock openapi clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run  ## a working demo campus CA on http://localhost:8000
	@exec $(BIN)/mailseal serve --init --demo

test: .venv/.dev  ## the whole suite, on both databases
	@$(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/.dev  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(ROOMS) tests bench
	@$(BIN)/lint-imports --no-cache

fix: .venv/.dev  ## format, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.run  ## speed as ratios measured in one run (under 3 minutes)
	@$(BIN)/python -m bench

openapi: .venv/.run  ## write openapi.yaml from what the application serves
	@$(BIN)/python -m api.openapi > openapi.yaml

lock:  ## renew the hash-locked requirements (needs uv)
	@for name in requirements requirements-dev; do \
	    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	        $$name.in -o $$name.txt || exit 2; done

clean:  ## remove the virtual environment and caches; data stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

# The newest Python from 3.11 to 3.14 that really runs (version managers leave shims that only exist) and can make a
# virtual environment; PYTHON= names another.
.venv/bin/python:
	@[ -w . ] || $(call stop,"this folder is not writable","clone Mailseal into a folder of yours")
	@for p in $(PYTHON) $(if $(PYTHON),,python3.14 python3.13 python3.12 python3.11 python3); do \
	    if $$p -c '$(CAN_RUN)' 2>/dev/null; then python=$$p; break; fi; done; \
	if [ -z "$$python" ]; then \
	    if $${PYTHON:-python3} -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null; then \
	        $(call stop,"this Python has no venv module or is newer than 3.14","install python3-venv or name another one: make PYTHON=/path/to/python3.12"); \
	    else $(call stop,"no Python from 3.11 to 3.14 found","install python3.11 or newer with its venv module or name it: make PYTHON=/path/to/python3.12"); fi; fi; \
	$(call say,"making a virtual environment with $$python (a few seconds)"); \
	rm -rf .venv && $$python -m venv .venv || { rm -rf .venv; \
	    $(call stop,"the virtual environment could not be made","see the lines above"); }

.venv/.run: requirements.txt pyproject.toml | .venv/bin/python
	@$(call say,"installing the locked wheels (about 15 seconds)")
	@$(PIP) install --only-binary :all: --require-hashes -r requirements.txt || $(call stop,"the locked wheels could not be installed","check that the package index is within reach and that this platform has wheels (README: systems tried)")
	@$(PIP) install --no-deps --no-build-isolation -e . || $(call stop,"Mailseal itself could not be installed","see the lines above")
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@$(call say,"installing what tests and checks need (about 10 seconds)")
	@$(PIP) install --only-binary :all: --require-hashes -r requirements-dev.txt || $(call stop,"the locked wheels could not be installed","check that the package index is within reach and that this platform has wheels (README: systems tried)")
	@touch $@
