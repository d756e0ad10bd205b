PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check format clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/nfgen demo --out demo --overwrite

test: .venv/installed
	$(BIN)/python -m pytest -q -n auto

check: .venv/installed
	$(BIN)/ruff check nfgen tests benchmarks
	$(BIN)/ruff format --check nfgen tests benchmarks
	$(BIN)/mypy nfgen
	$(MAKE) test

format: .venv/installed
	$(BIN)/ruff check --fix nfgen tests benchmarks
	$(BIN)/ruff format nfgen tests benchmarks

clean:
	rm -rf .venv demo dist
