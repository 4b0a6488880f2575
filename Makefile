# Everything starts here: a fresh clone needs only Python 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := .uv/bin/uv
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: setup servers snapshot up test check stress prove no-network conformance conformance-openapi conformance-npm bench lock clean

setup: $(VENV)/.ready  ## the environment in .venv, as locked

# uv comes by pip into a folder of its own, so that nothing is asked of the machine.
$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13'

$(VENV)/.ready: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

up: setup  ## a real answer of the real model, then the server on 127.0.0.1:8090
	$(BIN)/isthmus up --hello

check: setup  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

servers:  ## Debian's mail, chat and browser programmes that tests run against; without root they are skipped
	@sh tests/servers/install.sh

test: check servers  ## all that CI runs
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

stress: setup  ## 200,000 requests with nonces, aborts, resets and slow peers: no answer may reach another request
	ISTHMUS_STRESS_REQUESTS=200000 $(BIN)/python -m pytest -q -s --timeout 3600 tests/system/test_client_never_mixes_answers.py

prove: setup  ## the perimeter at length: 100,000 crossings, 1,000 kills, every enforcement point switched off in turn
	ISTHMUS_PROVE_CROSSINGS=100000 $(BIN)/python -m pytest -q -s --timeout 7200 tests/system/test_nothing_crosses.py
	ISTHMUS_PROVE_TRIALS=1000 $(BIN)/python -m pytest -q -s --timeout 7200 tests/system/test_strict.py
	$(BIN)/python -m bench.enforcement --jobs 2

no-network: setup  ## all of it with the own model where there is no route, and not a packet leaving where there is (root)
	$(BIN)/python -m bench.no_network

conformance: setup  ## other people's Python clients and test suites through isthmus
	$(BIN)/python -m conformance.run

conformance-openapi: setup  ## schemathesis by our own OpenAPI; OPENAPI=path of OpenAI's repository for theirs too
	$(BIN)/python -m conformance.openapi.run --minutes 20 $(if $(OPENAPI),--openai $(OPENAPI),--spec isthmus)

conformance-npm: setup  ## the Vercel AI SDK, Claude Code, Codex and opencode through isthmus
	$(BIN)/python -m conformance.npm.run

bench: setup  ## CPU, latency, streams and memory beside nginx and LiteLLM, in one run; BENCH=--quick for a short one
	$(BIN)/python bench/run.py $(BENCH)

snapshot: setup  ## the catalog's extract of the public feeds, from the packages as locked
	$(BIN)/python -m isthmus.catalog.feeds

lock: | $(UV)  ## resolve the dependencies anew
	$(UV) lock

clean:
	rm -rf $(VENV) .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis
