# On a fresh machine: python3 and make are enough. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup run check lint types imports test bench pythons licences rehearse pictures train chaos connections faults constraints dist clean
SHELL := /bin/sh

PYTHON := .venv/bin/python
READY := .venv/.ready
RIVAL := .venv/rival
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
PLATFORMS := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-apple-darwin x86_64-pc-windows-msvc
PHOTOS ?= photos
SECONDS ?= 600
SEED ?= 1
SEARCHES ?= 10000
START ?= models/resnet.onnx

# Named in `help`; a time is that of a 2-core machine.
help: ## list the targets (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv with everything but torch, .venv/bin/lookalike included (20 s; 0 s when nothing changed)

run: $(READY) ## index the images in PHOTOS=DIR and stay until Ctrl-C; without PHOTOS, in ./photos with drawn ones
ifeq ($(origin PHOTOS),file)
	@$(PYTHON) -m examples.samples $(PHOTOS)
endif
	@.venv/bin/lookalike up "$(PHOTOS)"

check: setup lint types imports test ## all that must hold before a commit; CI runs exactly this

lint: $(READY) ## ruff: rules and format (1 s)
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: $(READY) ## mypy --strict (20 s)
	.venv/bin/mypy

imports: $(READY) ## which part may import which (2 s)
	.venv/bin/lint-imports

# One more than cores: a test waits a fifth of its time for programs that start or stop (910 s instead of about 1,050).
test: $(READY) ## all tests, in one process more than there are cores; T=tests/edge or T="-k name" for some, in one
	.venv/bin/pytest $(if $(T),$(T),--numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 5 --dist loadfile)

chaos: $(READY) ## write files and kill -9 every part for SECONDS=600 by SEED=1, then compare; JSON=file keeps the table
	$(PYTHON) -m tests.programs.chaos --seconds $(SECONDS) --seed $(SEED) $(if $(JSON),--json "$(JSON)")

connections: $(READY) ## count a client's connections over SEARCHES=10000 by 16 threads, against 100 (3 min)
	$(PYTHON) -m tests.programs.connections --searches $(SEARCHES)

faults: $(READY) ## make each call to disk, store and broker fail in turn, then compare; MOST=n tries n, chosen by SEED=1
	$(PYTHON) -m tests.programs.faults --seed $(SEED) $(if $(MOST),--most $(MOST))

pythons: $(READY) ## ask the index for wheels of all pinned versions, for each Python and platform that we name (a minute)
	@for python in 3.11 3.12 3.13 3.14; do for platform in $(PLATFORMS); do \
	  MACOSX_DEPLOYMENT_TARGET=14.0 $(PYTHON) -m uv pip compile --quiet --no-build --no-header --python-version $$python \
	    --python-platform $$platform --extra all --extra export --extra fetch --extra jxl --extra s3 --extra traces \
	    --constraint constraints.txt pyproject.toml >/dev/null || exit 1; \
	  echo "$$python $$platform: all there"; \
	done; done

licences: $(READY) ## compare the licences of all wheels, and what is in them, with docs/decisions/licences.md (3 s)
	@$(PYTHON) -m tests.programs.licences

rehearse: $(READY) ## build and run the containers without an engine (3 min; root, debootstrap)
	$(PYTHON) -m tests.programs.rehearsal

bench: $(READY) $(RIVAL)/.ready ## measure against other ways (9 min): QUICK=1 for a minute, PHOTOS=DIR, JSON=file, PLOT=file.svg
	@$(PYTHON) -m bench $(if $(QUICK),--quick) $(if $(filter-out file,$(origin PHOTOS)),--photos "$(PHOTOS)") \
	  $(if $(JSON),--json "$(JSON)") $(if $(PLOT),--plot "$(PLOT)")

pictures: $(READY) ## draw docs/pictures anew from a running system (40 s; the pages need Debian's chromium)
	$(PYTHON) docs/pictures/draw.py

train: $(READY) ## train the model (hours): PHOTOS="DIR TAR ..." TEACHERS="FILE.onnx:PX ..." OUT=DIR, needs torch; START=FOLDER SHARPER=FOLDER:192
	@$(PYTHON) -c 'import torch' 2>/dev/null || { echo "Training needs PyTorch: $(PYTHON) -m pip install torch==2.13.0" >&2; exit 1; }
	$(PYTHON) -m models.training.distill $(PHOTOS) --teacher $(TEACHERS) --out $(OUT) --start $(START) --v1 $(if $(SHARPER),--sharper $(SHARPER))

constraints: $(READY) ## pin the newest versions that pyproject.toml allows in constraints.txt (3 s)
	$(PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --extra dev pyproject.toml -o constraints.txt
	$(PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header bench/fastembed.in -o bench/fastembed.txt

dist: $(READY) ## build sdist and wheel in dist/ (2 s)
	$(PYTHON) -m hatchling build --clean

clean: ## remove .venv and all that was built; photos and data stay
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# No `sync`: what else lies in .venv (torch, for training) stays there.
# Compiled once: where Python may not write, each of the many processes would compile all packages again (1.7 s of 3.4).
# The project itself comes last and without dependencies, because an editable install has no hash.
$(READY): constraints.txt pyproject.toml | $(PYTHON)
	@echo "Setting up .venv: some 20 s the first time." >&2
	@awk '/^[a-z0-9]/ { wanted = /^uv==/ } wanted' constraints.txt > .venv/uv.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@$(PYTHON) -m uv pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes --requirement constraints.txt
	@$(PYTHON) -m uv pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

# fastembed needs older versions of what we need, so it has an environment of its own.
$(RIVAL)/.ready: bench/fastembed.txt | $(READY)
	@$(PYTHON) -m uv venv --quiet --clear $(RIVAL)
	@$(PYTHON) -m uv pip install --quiet --compile-bytecode --python $(RIVAL)/bin/python --require-hashes --requirement bench/fastembed.txt
	@touch $@

$(PYTHON):
	@for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$$python cannot make environments: install its venv package (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }; \
	  "$$python" -m venv .venv && exit; rm -rf .venv; exit 1; \
	done; \
	echo "No Python 3.11 to 3.14 was found: install one of them (Debian, Ubuntu: apt install python3 python3-venv)." >&2; \
	exit 1
