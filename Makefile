# Two commands for a newcomer: `make demo` and `make test`. Both begin with `make setup`, which is quick when done.
# `make test-gpu` besides, for the GPU engines.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup setup-gpu demo test test-gpu check format clean sample lock benchmark

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-server.txt requirements-dev.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)"
	@touch "$(VENV)/.ready"

demo: setup
	@$(BIN)/understudy demo

test: setup check
	@$(BIN)/python -m pytest

# What the GPU engines need besides, torch too, into the same environment.
setup-gpu: $(VENV)/.ready-gpu

# On any machine: tiny random weights, on the processor where there is no card.
test-gpu: $(VENV)/.ready-gpu
	@UNDERSTUDY_TEST_GPU=1 $(BIN)/python -m pytest tests/gpu

$(VENV)/.ready-gpu: $(VENV)/.ready requirements-gpu.txt scripts/setup_gpu.sh
	@sh scripts/setup_gpu.sh "$(PYTHON)" "$(VENV)"
	@touch "$(VENV)/.ready-gpu"

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# `make lock UPGRADE=--upgrade` takes the newest versions; without it pins that still fit stay.
lock:
	@sh scripts/lock.sh "$(PYTHON)" $(UPGRADE)

clean:
	rm -rf $(VENV) .venv-mediapipe demo build dist
