"""scripts/setup_gpu.sh, with a Python that only notes what pip is asked to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = "requirements-gpu.txt"
# Has torch once it was asked to install it, unless the file `broken` is there.
PYTHON = """#!/bin/sh
case "$*" in
    *"import sys, torch"*) [ -e torch ] && [ ! -e broken ] ;;
    *) printf '%s\\n' "$*" >> asked
       case "$*" in *torch==*) cp .venv/.held held; touch torch ;; esac ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup_gpu.sh", tmp_path / "scripts")
    for lock in ROOT.glob("requirements*.txt"):
        shutil.copy(lock, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def set_up(checkout: Path) -> subprocess.CompletedProcess[str]:
    script = ["sh", "scripts/setup_gpu.sh", "python3", ".venv"]
    return subprocess.run(script, cwd=checkout, check=False, capture_output=True, text=True)


def asked(checkout: Path) -> list[str]:
    """Of pip since the last time, without the options that are always the same."""
    file = checkout / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [re.sub(r"-m pip |--\S+ ?|\.venv/\.held ", "", line).strip() for line in lines]


def test_the_lock_is_installed_then_torch_held_to_the_locks_and_nothing_twice(checkout: Path) -> None:
    assert set_up(checkout).returncode == 0
    packages, torch = asked(checkout)
    assert packages == f"install -r {LOCK}"
    assert re.fullmatch(r"install torch==[\d.]+", torch)
    held = (checkout / "held").read_text()
    assert "hash" not in held  # pip would want one of torch too
    assert {"numpy", "typing-extensions", "filelock", "setuptools"} <= set(
        re.findall(r"^([\w-]+)==[\d.]+", held, re.MULTILINE)
    )
    assert set_up(checkout).stdout == ""
    assert asked(checkout) == []


def test_a_new_lock_takes_out_what_none_names_and_leaves_torch(checkout: Path) -> None:
    (checkout / "torch").touch()
    lock = checkout / LOCK
    text = lock.read_text()
    lock.write_text(text + "gone==1.0 \\\n    --hash=sha256:0\n")
    set_up(checkout)
    assert asked(checkout) == [f"install -r {LOCK}"]
    lock.write_text(text)
    set_up(checkout)
    assert asked(checkout) == ["uninstall gone", f"install -r {LOCK}"]


def test_a_torch_that_cannot_be_loaded_is_told_and_tried_again(checkout: Path) -> None:
    (checkout / "broken").touch()
    done = set_up(checkout)
    assert done.returncode == 1
    assert "torch is installed and cannot be loaded" in done.stderr
    asked(checkout)
    (checkout / "broken").unlink()
    assert set_up(checkout).returncode == 0
    assert asked(checkout) == [f"install -r {LOCK}"]


def test_without_the_environment_it_names_the_command_that_makes_it(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = set_up(checkout)
    assert done.returncode == 1
    assert "make setup" in done.stderr


def test_the_torch_that_is_tested_is_one_that_the_extra_allows() -> None:
    pinned = re.search(r"^torch=(\d+)\.(\d+)", (ROOT / "scripts" / "setup_gpu.sh").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (need for need in project["optional-dependencies"]["gpu"] if need.startswith("torch"))
    least = re.fullmatch(r"torch>=(\d+)\.(\d+)", wanted)
    assert pinned is not None
    assert least is not None
    assert tuple(map(int, pinned.groups())) >= tuple(map(int, least.groups()))
