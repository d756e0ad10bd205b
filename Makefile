PYTHON ?= python3
BIN := .venv/bin
CODE := nfgen tokenizers models cli tests benchmarks

.PHONY: demo browser test lint check bench experiments format docs package tokenizer chairs clean soak fuzz coverage mutation

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# OVERWRITE=1 replaces an earlier one.
demo: .venv/installed
	$(BIN)/nfgen demo --out demo $(if $(OVERWRITE),--overwrite)

# A browser for the tests of the report, which are skipped, with the reason, where it cannot be had.
browser: .venv/installed
	-$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[browser]'
	-command -v chromium || { apt-get update -qq && timeout 600 apt-get install -y -qq --no-install-recommends chromium; } > /dev/null

# Tests run side by side: with one thread each they do not wait for each other.
test: .venv/installed
	OMP_NUM_THREADS=1 SCREENSHOTS=screenshots $(BIN)/python -m pytest -q -n auto

lint: .venv/installed
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy nfgen

check: lint test

# What takes an hour and more: see docs/robustness.md.
soak: .venv/installed
	$(BIN)/python benchmarks/soak.py --kills 50

fuzz: .venv/installed
	$(BIN)/python benchmarks/fuzz.py --count 20000

coverage: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --cov --cov-report=term-missing:skip-covered

mutation: .venv/installed
	$(BIN)/python benchmarks/mutation.py --mutants 200

# Ours beside its peers; one thread each, as figures are processor seconds.
bench: export OMP_NUM_THREADS = 1
bench: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	test -d bench/shapes || $(BIN)/nfgen shapes chair -n 64 -o bench/shapes
	test -d bench/fields || $(BIN)/nfgen fit bench/shapes -o bench/fields
	test -d bench/tokens || $(BIN)/nfgen tokenize bench/fields --tokenizer vq --minutes 3 -o bench/tokens
	test -d bench/run || $(BIN)/nfgen train bench/tokens --steps 200 -o bench/run
	$(BIN)/python benchmarks/speed_mesh.py bench/fields --tokenizer bench/tokens/tokenizer
	$(BIN)/python benchmarks/speed_fit.py bench/fields
	$(BIN)/python benchmarks/speed_gpt.py
	$(BIN)/python benchmarks/speed_start.py --fields bench/fields --tokenizer bench/tokens/tokenizer --run bench/run
	$(BIN)/python benchmarks/growth.py --counts 10 100 400
	$(BIN)/python benchmarks/memory.py --fields bench/fields --counts 2000 20000
	$(BIN)/python benchmarks/metrics_speed.py --clouds 40

# The tokenizer that ships with nfgen, as nfgen/shipped/base-3d; DATA="a.zip b.npz" are shapes to learn from beside the
# random solids. An interrupted call goes on.
tokenizer: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/base_tokenizer.py --work base $(foreach path,$(DATA),--data $(path))
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/base_gpt.py base/base-3d --work base
	rm -rf nfgen/shipped/base-3d
	cp -r base/base-3d nfgen/shipped/base-3d

# The run that ships with nfgen, as nfgen/shipped/chairs. An interrupted call goes on with the command that it was in.
chairs: .venv/installed
	test -d made/shapes || $(BIN)/nfgen shapes chair -n 200 -o made/shapes
	test -d made/fields || $(BIN)/nfgen fit made/shapes --resume -o made/fields
	test -d made/tokens || $(BIN)/nfgen tokenize made/fields --heldout 0.05 --steps 3000 --resume -o made/tokens
	test -d made/run || $(BIN)/nfgen train made/tokens --resume -o made/run
	test -d made/samples || $(BIN)/nfgen generate made/run -n 24 --resume -o made/samples
	$(BIN)/python benchmarks/ship_run.py made/run made/samples nfgen/shipped/chairs

format: .venv/installed
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Broken links and references end the build.
docs: .venv/installed
	$(BIN)/mkdocs build --strict --quiet
	@echo the site is in build/site: open build/site/index.html

# Wheel and sdist; each installed and tested outside the checkout.
package: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[package]'
	$(BIN)/python benchmarks/package.py

# Two hours on two cores; QUICK=1 for ten minutes. DATA=path takes your own shapes, PEER=name=folder puts meshes
# of another program into the table of systems.
experiments: options = $(if $(QUICK),--quick) $(if $(DATA),--data $(DATA))
experiments: .venv/installed
	for name in initialisation regression permutation tokenization; do \
		$(BIN)/python benchmarks/experiments/$$name.py $(options) || exit 1; \
	done
	$(BIN)/python benchmarks/experiments/systems.py $(options) $(if $(PEER),--peer $(PEER))

clean:
	rm -rf .venv base bench demo made dist build screenshots
