PYTHON ?= python3
BIN := .venv/bin
CODE := nfgen tokenizers models cli tests benchmarks

.PHONY: demo test check format experiments clean

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

# Made for three hours on two cores; QUICK=1 for a quarter of an hour. DATA=path takes your own shapes.
experiments: .venv/installed
	for name in initialisation regression permutation tokenization systems; do \
		$(BIN)/python benchmarks/experiments/$$name.py $(if $(QUICK),--quick) $(if $(DATA),--data $(DATA)) || exit 1; \
	done

clean:
	rm -rf .venv demo dist
