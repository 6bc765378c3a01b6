# Everything runs in .venv, made from nothing by the first target that needs it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
CORES := $(shell nproc 2>/dev/null || echo 2)

.PHONY: help setup setup-bench demo test test-slow lint format bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | column -t -s:

setup: $(STAMP) ## .venv with hotrow built, installed, and all that the tests need
$(STAMP): pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*.cpp csrc/*/*.cpp csrc/*/*.h csrc/include/hotrow/*.h)
	@echo "setup: the virtual environment $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "setup: torch and numpy (the download takes longest)"
	$(BIN)/python -m pip install --quiet -c constraints.txt torch numpy
	@echo "setup: hotrow with its kernels built, and what its tests need (minutes)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

setup-bench: $(BENCH_STAMP) ## setup, and the peers that benchmarks compare with
$(BENCH_STAMP): $(STAMP)
	@echo "setup-bench: the peers that benchmarks compare with (minutes)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@touch $@

demo: setup ## raw log to served model on generated data: summary table and HTML report
	$(BIN)/python -m hotrow.demo --out demo

# One thread for each worker: two OpenMP pools on the same cores wait for each other.
test: setup ## the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) -m 'not slow'

test-slow: setup ## the longer tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) -m slow

lint: setup ## format, lint and types, without changing anything
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/mypy

format: setup ## apply the format and the safe fixes
	$(BIN)/ruff format src tests benchmarks tools
	$(BIN)/ruff check --fix src tests benchmarks tools

bench: setup-bench ## every benchmark suite
	$(BIN)/python -m benchmarks all

bench-%: setup-bench ## one suite of benchmarks/, e.g. make bench-prepare
	$(BIN)/python -m benchmarks $*

clean: ## remove what was built
	rm -rf build $(VENV) demo src/hotrow/_kernels*.so
