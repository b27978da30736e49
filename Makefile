PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where the demo and the validation run keep their models and databases.
DEMO ?= .modelstore/demo
BENCH ?= .modelstore/bench

.PHONY: demo test bench clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Builds a small zoo offline, then runs modelstore/demo/demo.sql on it.
demo: $(VENV)/installed
	$(BIN)/python -m modelstore.demo $(DEMO)

test: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# The validation run (within two hours on 2 cores): stopped, it goes on where it was when run again.
# DATA is the folder with its tasks, packages/*.parquet and images/*.parquet:  make bench DATA=path
bench: $(VENV)/installed
	@test -n "$(DATA)" || (echo "make bench needs the folder of its tasks: make bench DATA=path"; exit 2)
	$(BIN)/python benchmarks/validation.py --data $(DATA) --out $(BENCH)

clean:
	rm -rf $(VENV) .modelstore
