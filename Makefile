# Every target sets up .venv by itself: nothing is needed but python3 (3.11 or newer) and make.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed
JUDGES := .venv-judges
JUDGES_PYTHON ?= 3.11
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
CODE := models judgement audit learning drawing store activities workflows worker console cli deploy bench tests

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench judges lock clean .venv
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Run a whole rollout on real embedded servers and watch it
	@$(BIN)/rollouts demo $(ARGS)

# Most of a test's time is spent waiting: three at a time on two cores, each file with servers of its own, long files
# first. What fails is tried once more, three tests at most, and the first failure is printed all the same:
# docs/decisions/0063 and 0082.
test: $(STAMP) ## Run the tests against real servers; narrow with ARGS="tests/store -k migrate"
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		--reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks $(ARGS)

lint: $(STAMP) ## Check formatting, style, types and which room imports which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Rewrite formatting and import order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: $(STAMP) ## Measure; never asserts
	@$(BIN)/python -m bench $(ARGS)

judges: $(JUDGES)/.installed ## Make .venv-judges: libraries that bench judgement compares ours with

$(JUDGES)/.installed: bench/judges.lock | $(STAMP)
	@echo "Making $(JUDGES) with Python $(JUDGES_PYTHON): what gbstats pins has no wheels for a newer one than 3.11"
	@$(BIN)/uv venv --quiet --clear --no-python-downloads --python $(JUDGES_PYTHON) $(JUDGES)
	@echo "Installing the packages of bench/judges.lock into $(JUDGES) (650 MB, a minute or two)"
	@$(PIP) --python $(JUDGES)/bin/python install --quiet --require-hashes --only-binary :all: --requirement $<
	@touch $@

# The floor of requires-python decides; environment markers keep one lock right for every platform.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock'

lock: $(STAMP) ## Bring the hash-pinned locks in line with pyproject.toml; ARGS=--upgrade for newer versions
	@echo "Resolving requirements.lock (everything: to develop, to test, to run the demo)"
	@$(COMPILE) $(ARGS) --all-extras --output-file requirements.lock pyproject.toml
	@echo "Resolving requirements-prod.lock (what a worker in production installs)"
	@$(COMPILE) $(ARGS) --constraint requirements.lock --output-file requirements-prod.lock pyproject.toml
	@echo "Resolving bench/judges.lock (what .venv-judges holds, beside everything else)"
	@$(COMPILE) $(ARGS) --output-file bench/judges.lock bench/judges.in

clean: ## Remove .venv and .venv-judges, caches and build output; the data of embedded servers stays
	rm -rf .venv $(JUDGES) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find $(CODE) examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is `$(PYTHON) --version 2>&1`." \
			"Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make a virtual environment: its modules venv and ensurepip are missing." \
			"Install them (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv with `$(PYTHON) --version`"; $(PYTHON) -m venv .venv; }
	@echo "Installing the packages of requirements.lock into .venv (about a minute the first time)"
	@$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@echo "Linking partner-rollouts into .venv"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
