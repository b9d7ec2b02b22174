"""The data folder that a flag names is that of each process of the service: its models and weights lie there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy import config
from understudy.cli import app
from understudy.config import Settings
from understudy.server import supervisor
from understudy.server.parent import release, start_child

CHILD = """
from understudy import config
from understudy.server.parent import settings_from_parent
settings_from_parent()
print(config.data_dir(), config.models_dir(), config.weights_dir(), sep="|", flush=True)
"""


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with models; another, which the environment names, has some too."""
    for name in ("MODELS_DIR", "WEIGHTS_DIR", "CONFIG"):
        monkeypatch.delenv(f"UNDERSTUDY_{name}", raising=False)
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "named"))
    for name in ("named", "moved"):
        (tmp_path / name / "models").mkdir(parents=True)
    return tmp_path / "moved"


@pytest.mark.parametrize(("command", "function"), [("serve", "serve"), ("worker", "work")])
def test_the_flag_moves_models_and_weights_of_the_parent(
    moved: Path, monkeypatch: pytest.MonkeyPatch, command: str, function: str
) -> None:
    seen = []

    def run(settings: Settings, signals: object) -> None:
        seen.append((settings.data_dir, config.models_dir(), config.weights_dir()))

    monkeypatch.setattr(supervisor, function, run)
    result = CliRunner().invoke(app, [command, "--data-dir", str(moved)])
    assert result.exit_code == 0, result.output
    assert seen == [(moved, moved / "models", moved / "models")]


def test_a_child_has_the_data_folder_of_its_settings(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "child_that_tells.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    child = start_child("child_that_tells", Settings(data_dir=moved))
    assert child.wait(30) == 0
    release(child)
    assert capfd.readouterr().err.strip() == f"{moved}|{moved / 'models'}|{moved / 'models'}"
