PYTHON ?= python3
BIN := .venv/bin
CODE := nfgen tokenizers models cli tests benchmarks

.PHONY: demo test check bench format clean

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

# Ours beside its peers; one thread each, as figures are processor seconds.
bench: export OMP_NUM_THREADS = 1
bench: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	test -d bench/shapes || $(BIN)/nfgen shapes chair -n 64 -o bench/shapes
	test -d bench/fields || $(BIN)/nfgen fit bench/shapes -o bench/fields
	test -d bench/tokens || $(BIN)/nfgen tokenize bench/fields --tokenizer vq --minutes 3 -o bench/tokens
	$(BIN)/python benchmarks/speed_mesh.py bench/fields --tokenizer bench/tokens/tokenizer
	$(BIN)/python benchmarks/speed_fit.py bench/fields
	$(BIN)/python benchmarks/speed_gpt.py
	$(BIN)/python benchmarks/speed_start.py --fields bench/fields --tokenizer bench/tokens/tokenizer
	$(BIN)/python benchmarks/metrics_speed.py --clouds 40

format: .venv/installed
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:
	rm -rf .venv demo bench dist
