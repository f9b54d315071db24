# Two commands do everything: `make reproduce` and `make test`. Both need Python 3.11 or newer, a
# C++20 compiler and make, nothing else; the first call builds .venv from the hashed lock.

PYTHON ?= python3
PROFILE ?= default
SECONDS ?= 60
WORKERS ?= 2

bin := .venv/bin
export OMP_NUM_THREADS ?= 1
native_sources := $(sort $(wildcard native/*.cpp native/*.hpp) native/CMakeLists.txt \
  native/pyproject.toml pyproject.toml)
# An editable install keeps a list of the modules that there were: it is made again when they move.
modules = find mic native/mic_bitstream -name '*.py' | LC_ALL=C sort

# What the lessons themselves show is compared where the tests run them as `make reproduce` does
# (tests/smoke_runs.py); nbval runs one of them, and every solution, beside the other tests.
nbval := --nbval-lax --nbval-cell-timeout 1800
notebooks := notebooks/01_reencoding.ipynb $(sort $(wildcard notebooks/solutions/*.ipynb))

.PHONY: help reproduce test fuzz-replay test-long lab bench fuzz lint types mypy pyright docs wheels \
  format audit environment lock clean

help:
	@echo "make reproduce [PROFILE=smoke|default|full|paper]   run every notebook into results/"
	@echo "make test        lint, tests, notebooks"
	@echo "make test-long   the billion-sample, fuzzing and kill campaigns (hours)"
	@echo "make lab         JupyterLab on the notebooks"
	@echo "make bench       speed tables against other readers"
	@echo "make fuzz SECONDS=60"
	@echo "make wheels      mic-bitstream (the parser alone) and mic-faces, into build/wheels"
	@echo "make docs        the site, into build/docs/html; every broken link is an error"
	@echo "make lint | types | format | audit | clean"

# Both stamps hold what was installed, not when: a fresh checkout with new file times stays quiet.
environment:
	@if ! cmp -s requirements.lock .venv/installed.lock; then \
	  echo "== environment: .venv from requirements.lock (about 2 minutes, 8 GB)" && \
	  $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"mic needs Python 3.11, 3.12 or 3.13, this is {v}; name one: make PYTHON=python3.11")' && \
	  $(PYTHON) -m venv .venv && \
	  $(bin)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    --require-hashes -r requirements.lock && \
	  rm -f .venv/native.sum && cp requirements.lock .venv/installed.lock; \
	fi
	@{ cat $(native_sources); $(modules); } | cksum > .venv/native.new
	@if ! cmp -s .venv/native.new .venv/native.sum; then \
	  echo "== native part: compiling (about half a minute)" && \
	  $(bin)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    --no-build-isolation --editable ./native --editable . && \
	  mv .venv/native.new .venv/native.sum; \
	else rm .venv/native.new; fi

reproduce: environment
	@echo "== reproduce: profile $(PROFILE)"
	@$(bin)/mic run --profile $(PROFILE) --compare

# Bytecode is kept whatever the shell says: a hundred processes and each later run would compile anew.
# A process of pytest that crashes ends the run and its test is named: replaced, the others may wait
# for it for ever.
test: environment lint fuzz-replay
	@echo "== tests, and notebooks: every cell runs, tagged outputs compare"
	@MIC_PROFILE=smoke PYTHONDONTWRITEBYTECODE= $(bin)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --max-worker-restart 0 \
	  -m "not long" $(nbval) tests $(notebooks)

# Built here, where nothing waits for it: under sanitizers it takes minutes of a busy machine.
fuzz-replay: environment
	@echo "== fuzzers' harnesses"
	@$(MAKE) --no-print-directory -s --jobs 2 -C native/fuzz binaries-replay

test-long: environment
	@$(bin)/python -m pytest -q -p no:randomly --timeout 0 -m long tests
	@MIC_PROFILE=smoke $(bin)/python -m pytest -q -p no:randomly $(nbval) $(wildcard notebooks/*.ipynb)

lab: environment
	@$(bin)/jupyter lab --notebook-dir notebooks

bench: environment
	@$(MAKE) --no-print-directory -C tests/bench PYTHON=$(abspath $(bin)/python)

fuzz: environment
	@$(MAKE) --no-print-directory -C native/fuzz SECONDS=$(SECONDS) PYTHON=$(abspath $(bin)/python)

lint: environment
	@echo "== lint"
	@$(bin)/ruff check --quiet .
	@$(bin)/ruff format --quiet --check .
	@$(bin)/clang-format --dry-run --Werror $(wildcard native/*.cpp native/*.hpp)
	@$(bin)/python -m pytest --quiet --no-header -p no:randomly -n 0 tests/repository/test_dead_code.py
	@$(MAKE) --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) types

types: mypy pyright

mypy: environment
	@$(bin)/mypy --no-error-summary

# Runs on Node.js, which its package would fetch where the machine has none, and asks the index for
# a newer one unless told not to. Unlike mypy it remembers nothing: what it has passed, it is not
# asked again.
pyright: environment
	@cat pyproject.toml requirements.lock $$(find mic native/mic_bitstream -name '*.py' -o \
	  -name '*.pyi' | LC_ALL=C sort | tee .venv/typed.files) .venv/typed.files | cksum > .venv/typed.new
	@if cmp -s .venv/typed.new .venv/typed.sum; then rm .venv/typed.new; \
	elif command -v node > /dev/null; then \
	  PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(bin)/pyright && mv .venv/typed.new .venv/typed.sum; \
	else echo "== pyright: left out, it needs Node.js"; fi

# Of the parser alone one wheel serves every Python from 3.12 on; for 3.11 call it with that one.
wheels: environment
	@rm -rf build/wheels
	@PATH="$(abspath $(bin)):$$PATH" $(bin)/python -m pip wheel --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --wheel-dir build/wheels ./native .
	@ls -l build/wheels

docs:
	@$(MAKE) --no-print-directory -C docs PYTHON=$(PYTHON)

format: environment
	@$(bin)/ruff check --quiet --fix .
	@$(bin)/ruff format --quiet .
	@$(bin)/clang-format -i $(wildcard native/*.cpp native/*.hpp)

# Formats, unpickling, hashes, hosts; and known vulnerabilities where pip-audit is installed.
audit: environment
	@$(bin)/python tests/audit.py

# Needs uv; only for whoever changes the pins.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-package mic-bitstream --python-version 3.11 --all-extras pyproject.toml \
	  --output-file requirements.lock
	python3 tests/environment_file.py --write

clean:
	rm -rf .venv build results/smoke results/full results/paper results/notebooks
