# Every target says what it does; a bare `make` prints them.

PYTHON ?= python3
PREFIX ?= $(HOME)/.local
ARGS   ?=
OWN    := .test-python
# Not every shell expands the ~ of `make install PREFIX=~/.local`.
HERE    = $(patsubst ~%,$(HOME)%,$(PREFIX))
BIN     = $(HERE)/bin
MAN     = $(HERE)/share/man/man1

.DEFAULT_GOAL := help
.PHONY: help demo test dist man install bench torture release-check clean

help: ## print this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-19s %s\n", $$1, $$2 }'

demo: ## run sample jobs before your eyes: success, retry, timeout, dead letter queue
	@$(PYTHON) queuectl.py demo

test: ## run the whole test suite (ARGS="-k name" for a part of it)
	@if $(PYTHON) -c 'import pytest' 2>/dev/null; then tester=$(PYTHON); \
	else $(MAKE) -s $(OWN)/ready && tester=$(OWN)/bin/python; fi && \
	"$$tester" -m pytest -q $(ARGS)

# Made only where $(PYTHON) has no pytest; nothing outside this folder is touched.
$(OWN)/ready:
	@echo "no pytest in $(PYTHON): making a private environment for it in $(OWN)/"
	@$(PYTHON) -m venv --clear $(OWN)
	@$(OWN)/bin/python -m pip install -q --disable-pip-version-check pytest
	@touch $@

dist: ## write dist/queuectl.py, the one file to copy to a server, and its checksum
	@mkdir -p dist
	@$(PYTHON) queuectl.py bundle dist/queuectl.py > dist/queuectl.py.sha256

man: ## write dist/queuectl.1, the manual page
	@mkdir -p dist
	@$(PYTHON) queuectl.py manual > dist/queuectl.1

install: ## install the one file as PREFIX/bin/queuectl, with its manual page (PREFIX=~/.local)
	@mkdir -p "$(BIN)" "$(MAN)"
	@$(PYTHON) queuectl.py bundle "$(BIN)/queuectl" > /dev/null
	@$(PYTHON) queuectl.py manual > "$(MAN)/queuectl.1"

bench: ## measure speed, memory and latency against yardsticks (FULL=1: a million jobs too, ARGS=--json)
	@$(PYTHON) tests/bench $(if $(FULL),--full) $(ARGS)

torture: ## kill everything with -9 at random and see that nothing is lost (SECONDS=60 SEED=1)
	@$(PYTHON) tests/torture $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

release-check: ## prove that dist/queuectl.py may be released: tree and one file under every Python here (ARGS="3.11" for one)
	@if $(PYTHON) -c 'import pytest' 2>/dev/null; then tester=$(PYTHON); \
	else $(MAKE) -s $(OWN)/ready && tester=$(OWN)/bin/python; fi && \
	"$$tester" tests/release $(ARGS)

clean: ## remove what the other targets made here
	rm -rf dist $(OWN) .pytest_cache .screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
