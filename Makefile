# On a fresh machine with Python 3.11 or newer and git, `make demo` and `make test` are all there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.PHONY: demo test check format bench faults lock clean

demo: $(VENV)/installed
	$(BIN)/samehand train sample --preset demo

test: $(VENV)/installed
	$(BIN)/pytest -q -n 2 --dist loadgroup --no-loadscope-reorder

check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every benchmark; `make bench BENCH="cropping --originals FOLDER"` measures one, on real paintings.
bench: $(VENV)/installed
	$(BIN)/python -m benchmarks $(BENCH)

# Kills a server, a worker and runs in turn, presses Ctrl-C at every stage, then kills a hundred times
# at random on a cluster; what happened goes into docs/operating.md. It takes two hours.
# `make test` has the same tests, but shortened.
faults: $(VENV)/installed
	SAMEHAND_FAULT_TABLE=docs/operating.md $(BIN)/pytest -q -m "" \
		tests/operations/test_faults.py tests/flows/test_terminated.py tests/operations/test_kills.py

# Renews the lock file; run the tests before committing it.
lock: $(VENV)/installed
	$(BIN)/uv pip compile --universal --upgrade --group dev pyproject.toml \
		--output-file requirements.lock --no-annotate --no-header --quiet

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("samehand needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	# Compiled here, once: torch and Prefect take seconds longer to import where they are not.
	$(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode \
		--requirement requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) workspace .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
