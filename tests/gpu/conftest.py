"""Fixtures for the tests that need the extra ``gpu``: `make test-gpu` installs it, and `make test` leaves them out."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

NEEDED = (
    os.environ.get("UNDERSTUDY_TEST_GPU") == "1"
)  # set by `make test-gpu`: what is missing is then a failure


class Absent(pytest.Module):
    def collect(self) -> list[pytest.Item]:
        pytest.skip("torch is not installed: `make test-gpu` installs it")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if NEEDED or importlib.util.find_spec("torch") is not None:
        return None
    module: pytest.Module = Absent.from_parent(parent, path=module_path)
    return module


@pytest.fixture(autouse=True)
def masks_made_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers compiles what makes the attention's mask, for which a CPU takes half a minute: here it is not."""
    from diffusers.models.transformers import transformer_wan_animate_2 as transformer

    real = transformer.create_block_mask

    @functools.wraps(real)
    def plain(*args: Any, _compile: bool = False, **settings: Any) -> Any:
        return real(*args, **settings)

    monkeypatch.setattr(transformer, "create_block_mask", plain)


@pytest.fixture(scope="session")
def tiny_animate2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights of ``wan-animate-2``; read only."""
    from tiny_weights import write_tiny_animate2

    folder = tmp_path_factory.mktemp("wan-animate-2")
    write_tiny_animate2(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_animate1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights of ``wan-animate-1``; read only."""
    from tiny_weights import write_tiny_animate1

    folder = tmp_path_factory.mktemp("wan-animate-1")
    write_tiny_animate1(folder)
    return folder


@pytest.fixture
def weights(tiny_animate2: Path, tiny_animate1: Path) -> dict[int, Path]:
    """By the model's number."""
    return {2: tiny_animate2, 1: tiny_animate1}
