# `make demo` and `make test` are all that a fresh machine needs: each makes .venv first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Large buffers stay with the process instead of going back to the kernel (2x at large batches).
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := 2147483647
WORKERS ?= 2

.PHONY: demo test check bench clean

demo: $(VENV)/demo.done
	$(BIN)/rather demo --out demo --force

test: $(VENV)/dev.done
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python tests/budgets.py

bench: $(VENV)/dev.done
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[compare]'
	$(BIN)/python benchmarks/passes.py
	$(BIN)/python benchmarks/pointing.py
	$(BIN)/python benchmarks/fills.py
	$(BIN)/python benchmarks/removal.py
	$(BIN)/python benchmarks/schedules.py
	$(BIN)/python benchmarks/claims_removal.py
	$(BIN)/python benchmarks/claims_fido.py
	$(BIN)/python benchmarks/sensitivity.py
	$(BIN)/python benchmarks/counterfactuals.py mnist

$(VENV)/pip.done:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/demo.done: $(VENV)/pip.done pyproject.toml
	test -e $(VENV)/dev.done || $(BIN)/pip install --disable-pip-version-check -q -e .
	touch $@

$(VENV)/dev.done: $(VENV)/pip.done pyproject.toml
	$(BIN)/pip install --disable-pip-version-check -q -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo
