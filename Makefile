# The front door. `make demo` shows what Triage does; `make test` checks it.
#
#   make setup      .venv with the command .venv/bin/triage
#   make demo       a generated helpdesk: train, evaluate, score new tickets, show the table and the report
#   make test       every test
#   make check      style, types and import rules
#   make docs       write docs/reference anew from the code
#   make clean      remove what the demo and the tools wrote (never .venv, data or models)
#
# ENCODER=none leaves PyTorch and the sentence encoder out.   PIP_ARGS passes options to pip.   PYTHON picks the interpreter.

ENCODER  ?= minilm
PIP_ARGS ?=
PYTHON   ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
              $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)

BIN     := .venv/bin
PIP     := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)
PARTS   := $(if $(filter none,$(ENCODER)),.venv/.base,.venv/.encoder)
export PIP_NO_INPUT = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-tickets test check docs clean

help:
	@sed -n 's/^# \{0,1\}//;1,11p' Makefile

setup: $(PARTS) .venv/.doors
	@echo "· ready: $(BIN)/triage"

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed (with venv); on Debian or Ubuntu: apt install python3-venv" >&2; exit 2; }
	@echo "· making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/.base: pyproject.toml constraints.txt | .venv/bin/python
	@echo "· installing the package and its libraries (pandas, scikit-learn, …)"
	@$(PIP) --editable .
	@touch $@

.venv/.encoder: .venv/.base
	@echo "· installing the sentence encoder (PyTorch: the longest step; ENCODER=none leaves it out)"
	@$(PIP) --editable '.[encoder]'
	@touch $@

.venv/.doors: .venv/.base
	@echo "· installing the service and the stream (FastAPI, Redis, Kafka)"
	@$(PIP) --editable '.[http,stream]'
	@touch $@

.venv/.dev: $(PARTS)
	@echo "· installing what tests need (pytest, mypy, MLflow, DVC, …)"
	@$(PIP) --editable '.[dev,http,stream,tracking,dvc]'
	@touch $@

test: .venv/.dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

DEMO := demo
# On tables as small as the demo's a second BLAS thread only waits, and burns a core while it does.
demo: export OPENBLAS_NUM_THREADS ?= 1
demo: $(PARTS)
	@echo "· ready: $(BIN)/triage"
	@echo "· a synthetic helpdesk: a year of tickets, and three days of new ones"
	@$(BIN)/triage sample --out $(DEMO)/helpdesk --tickets 3000 --force
	@printf 'encoder: {name: $(ENCODER)}\ntracking: {uri: null}\nhistory: {contact_reason: fields.product}\n' > $(DEMO)/params.yaml
	@echo "· training on its past"
	@rm -rf $(DEMO)/scorer $(DEMO)/scorer.report $(DEMO)/report $(DEMO)/backtest
	@$(BIN)/triage run --raw $(DEMO)/helpdesk --params $(DEMO)/params.yaml --scorer $(DEMO)/scorer --test-from 2026-07-01
	@echo "· judging it on the two months after; meanwhile"
	@$(BIN)/triage evaluate --raw $(DEMO)/helpdesk --scorer $(DEMO)/scorer --out $(DEMO)/report > $(DEMO)/evaluate.txt 2>&1 & \
	judging=$$!; trap 'kill $$judging' INT TERM; $(MAKE) --no-print-directory demo-tickets; done=$$?; \
	wait $$judging || done=$$?; echo "· how good it is on the two months after"; cat $(DEMO)/evaluate.txt; exit $$done
	@echo "· the last two months again, with three hands in the predicted order"
	@$(BIN)/triage backtest --raw $(DEMO)/helpdesk --scorer $(DEMO)/scorer --out $(DEMO)/backtest --hands 3
	@echo "· the report: $(abspath $(DEMO))/report/index.html"

demo-tickets: # what `demo` shows while the scorer is being judged
	@echo "· scoring the new tickets"
	@$(BIN)/triage score $(DEMO)/helpdesk/new-tickets.csv $(DEMO)/scored.csv --mapping $(DEMO)/helpdesk/mapping.yaml \
	    --scorer $(DEMO)/scorer --explain --force
	@$(BIN)/triage view $(DEMO)/scored.csv --tickets $(DEMO)/helpdesk/new-tickets.csv --mapping $(DEMO)/helpdesk/mapping.yaml
	@echo "· of these, tickets that no article fits"
	@$(BIN)/triage view $(DEMO)/scored.csv --none-fits --rows 3
	@echo "· a ticket that nobody has finished, as it waits"
	@$(BIN)/triage follow $(DEMO)/helpdesk/tickets.parquet --scorer $(DEMO)/scorer --history $(DEMO)/helpdesk --as-of 2026-08-19

check: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: .venv/.dev
	@$(BIN)/python docs/make_reference.py

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find pipeline tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
