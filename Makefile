PYTHON ?= python3
BIN := .venv/bin
CODE := nfgen tokenizers models cli tests benchmarks

.PHONY: demo test check format docs package clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/nfgen demo --out demo --overwrite

# Tests run side by side: with one thread each they do not wait for each other.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto

check: .venv/installed
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy nfgen
	$(MAKE) test

format: .venv/installed
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Broken links and references end the build.
docs: .venv/installed
	$(BIN)/mkdocs build --strict --quiet

# Wheel and sdist; each installed and tested outside the checkout.
package: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[package]'
	$(BIN)/python benchmarks/package.py

clean:
	rm -rf .venv demo dist build
