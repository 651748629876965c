# make demo        two of the example DAGs on real texts, a real Airflow and the emulator; KEEP=1 leaves it running
# make test        set-up, lint and all tests, and the wheel beside the oldest Airflow
# make bench       what input, rows and waiting cost, beside peers; FULL=1 also a million rows and a real Airflow; not part of make test
# make peers       what retries pay for, beside the Google provider's operator; not part of make test
# make referees    other people's clients, unchanged, against the emulator; writes docs/reference/referees.md; not part of make test
# make crash       5,000 random histories on a hostile service, then kill a real Airflow at every step of the operator,
#                  its processes in other ways of asking, and those of a night that uses answers again; it writes
#                  docs/reference/crash-matrix.md; HISTORIES=… for another number, HOSTILE=1 for these alone
# make scale-out   kill workers and triggerers of an Airflow on Celery; needs redis-server; not part of make test
# make test-matrix  the wheel beside each version of Airflow in README's table, and each extra; CELLS="…" for some
#                  (python -m tests.matrix --list names them); not part of make test
# make docs        the site of the documentation, in build/site
# make pictures    the pictures of README and docs, from a real Airflow in Debian's Chromium; not part of make test
# make dist        the wheel and the source distribution, in dist
# make lint        ruff, mypy and the contracts between the layers
#
# A Python 3.11 is all that has to be there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := test
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Of README's table, beside the version that the tests are for.
OLDEST := airflow-2.11.2-python-3.11
TEXTS := build/texts/vaderSentiment-3.3.2.tar.gz

# With it, every start of a process would compile Airflow anew, which doubles its time.
unexport PYTHONDONTWRITEBYTECODE

# The machine's certificates rather than those uv brings: they know the proxies in front of it.
export UV_SYSTEM_CERTS ?= 1

.PHONY: setup demo pictures test test-matrix bench peers referees crash scale-out docs dist lint format clean

setup: $(VENV)/.ready

# Bytecode is written at first imports: most of the 33,000 modules have none, and to compile all takes 90 s of CPU time.
$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirements pyproject.toml --all-extras --group dev --editable .
	touch $@

# The texts are in the source distribution only; it is not installed.
$(TEXTS): | $(VENV)/.ready
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
		--dest $(@D) vaderSentiment==3.3.2

pictures: $(VENV)/.ready $(TEXTS)
	$(BIN)/python -m tests.pictures --texts $(TEXTS)
	$(BIN)/python -m tests.pages.pictures

demo: $(VENV)/.ready $(TEXTS)
	$(BIN)/python -m tests.demo --texts $(TEXTS) $(if $(KEEP),--keep)

# Its sources begin at the root, so that links from the pages to the code lead somewhere.
docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -q -E -W --keep-going -b html -c docs -d build/doctrees . build/site

dist: $(VENV)/.ready
	rm -rf dist
	$(BIN)/uv build --quiet --out-dir dist
	rm -f dist/.gitignore

# Not `$(MAKE) lint` in the recipe of test: a line that calls make runs whole even under `make -n`.
LINT := $(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/mypy; $(BIN)/lint-imports

lint: $(VENV)/.ready
	$(LINT)

# The oldest Airflow's environment and tests keep one core busy for minutes, and half of the other tests wait for
# processes: they run side by side. What the former print is shown when the latter have ended; until then it is in
# build/oldest.log. In a fresh clone, pytest compiles all tests, and Python what they import: one process does that once
# beside the linters, or else each process of pytest-xdist would.
test: $(TEXTS)
	@echo "The tests beside the oldest Airflow run meanwhile; to see how far they are: tail -f build/oldest.log"; \
	setsid $(BIN)/python -m tests.matrix --part 3 $(OLDEST) >build/oldest.log 2>&1 & oldest=$$!; \
	$(BIN)/python -m pytest --collect-only --quiet >build/collected.log 2>&1 & collected=$$!; \
	trap 'kill $$collected 2>/dev/null || true; kill -- -$$oldest 2>/dev/null || true' EXIT; \
	trap 'exit 130' INT; \
	$(LINT); \
	wait $$collected || true; \
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder || failed=1; \
	wait $$oldest || failed=1; \
	cat build/oldest.log; test -z "$${failed-}"

test-matrix: $(VENV)/.ready
	$(BIN)/python -m tests.matrix $(CELLS)

bench: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks $(if $(FULL),--full)
	$(BIN)/python -m tests.benchmarks.looks $(if $(FULL),--airflow)

# In environments of their own, under .venvs; needs npm for the client of Node.
referees: $(VENV)/.ready
	$(BIN)/python -m tests.other_clients docs/reference/referees.md

peers: $(VENV)/.ready
	$(BIN)/python -m tests.peers.paid_jobs

crash: $(VENV)/.ready
	$(BIN)/python -m tests.hostile --histories $(or $(HISTORIES),5000) --page docs/reference/crash-matrix.md
	$(if $(HOSTILE),,$(BIN)/python -m tests.crash docs/reference/crash-matrix.md)
	$(if $(HOSTILE),,$(BIN)/python -m tests.deaths --page docs/reference/crash-matrix.md)
	$(if $(HOSTILE),,$(BIN)/python -m tests.reuse_nights --page docs/reference/crash-matrix.md)

# In an environment of its own: nothing else needs Celery.
SCALE_OUT := .venvs/scale-out

scale-out: $(SCALE_OUT)/.ready
	$(SCALE_OUT)/bin/python -m tests.scale_out docs/how-to/run-in-production.md
	$(SCALE_OUT)/bin/python -m tests.scale_out.scaling docs/how-to/ask-with-many-workers.md

$(SCALE_OUT)/.ready: pyproject.toml | $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --compile-bytecode \
		--requirements pyproject.toml --all-extras --group scale-out --editable .
	touch $@

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
