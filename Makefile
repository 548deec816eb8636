# One command a chore. Everything happens in .venv, which is made when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow test-pythons test-examples check format bench bench-tools conformance families planning-page wheel clean

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not gpu and not slow"

# Comparisons that take half an hour: the reference computes its pixels, too.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

# The torch-free part on other Pythons, each in an environment of its own: make test-pythons PYTHONS="python3.12 python3.13"
PYTHONS ?= python3.12 python3.13
test-pythons: $(STAMP)
	$(BIN)/python tests/other_pythons.py $(PYTHONS)

# The examples for other people's software beside the real packages, in an environment of their own: ten seconds, and
# half a minute more the first time.
EXAMPLES := .examples
test-examples: $(EXAMPLES)/.installed
	PYTHONPATH=src $(EXAMPLES)/bin/python -m pytest --noconftest tests/examples

$(EXAMPLES)/.installed: tests/examples/requirements.txt
	$(PYTHON) -m venv $(EXAMPLES)
	$(EXAMPLES)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/examples/requirements.txt
	touch $@

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/frontend.py
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/messages.py
	$(BIN)/python benchmarks/many.py
	$(BIN)/python benchmarks/headers.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/merging.py
	$(BIN)/python benchmarks/planning.py

# Other counters of FLOPs and memory beside ours, in an environment of its own; half an hour.
TOOLS := .tools
bench-tools: $(TOOLS)/.installed
	PYTHONPATH=src:tests $(TOOLS)/bin/python benchmarks/tools.py

$(TOOLS)/.installed: benchmarks/tools-requirements.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/tools-requirements.txt
	touch $@

# The conformance set and the page of supported models, from the reference; reports every change. Several processors of
# transformers exist only beside torchvision, which has no build for the CPU build of torch: its Python part is enough.
TORCHVISION := .torchvision
conformance: $(STAMP) $(TORCHVISION)
	PYTHONPATH=$(TORCHVISION) $(BIN)/python conformance/rebuild.py

$(TORCHVISION): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(TORCHVISION) torchvision==0.28.0

# docs/families.md: what the tests of parity compare, and how near they come; three minutes.
families: $(STAMP)
	$(BIN)/python tests/families_page.py

# The tables of measured errors in docs/planning.md, five minutes; some of them: make planning-page TABLES="own latency".
# TABLES=calibration times this machine.
planning-page: $(STAMP)
	$(BIN)/python tests/planning_page.py $(TABLES)

wheel: $(STAMP)
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vistoken needs Python 3.11 or later")'
	@echo "installing into $(VENV): about a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) $(TORCHVISION) $(TOOLS) $(EXAMPLES) dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
