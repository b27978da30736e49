PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where the demo and the validation run keep their models and databases.
DEMO ?= .modelstore/demo
BENCH ?= .modelstore/bench

.PHONY: install demo test coverage docs bench bench-real clean

# pip compiles what it installs on one core; a file that cannot be compiled is one that nothing imports.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --no-compile --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

install: $(VENV)/installed

# Builds a small zoo offline, then runs modelstore/demo/demo.sql on it.
demo: $(VENV)/installed
	$(BIN)/python -m modelstore.demo $(DEMO)

# Tests share the cores with each other: threads of torch that wait should sleep, and not spin.
test coverage: export OMP_WAIT_POLICY := passive

test: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile
	$(BIN)/python tests/in_own_network.py -m pytest -m cluster

# The tests again, in one process, with the lines that no test runs. It reports; it fails no build.
coverage: $(VENV)/installed
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html

# Builds docs/ into site/. A broken link or reference is an error.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The validation run (within two hours on 2 cores): stopped, it goes on where it was when run again.
# DATA is the folder with its tasks, packages/*.parquet and images/*.parquet:  make bench DATA=path
bench: $(VENV)/installed
	@test -n "$(DATA)" || (echo "make bench needs the folder of its tasks: make bench DATA=path"; exit 2)
	$(BIN)/python benchmarks/validation.py --data $(DATA) --out $(BENCH)

# The same on real encoders and public tasks. ZOO has the encoders' folders:  make bench-real ZOO=path DATA=path
bench-real: $(VENV)/installed
	@test -n "$(ZOO)" -a -n "$(DATA)" || (echo "make bench-real needs encoders and tasks: ZOO=path DATA=path"; exit 2)
	$(BIN)/python benchmarks/real.py --zoo $(ZOO) --data $(DATA) --out $(BENCH)-real

clean:
	rm -rf $(VENV) .modelstore site htmlcov .coverage
