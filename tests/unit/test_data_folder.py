"""The data folder that a flag names is that of each process of the service: its models and weights lie there."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy import config
from understudy.cli import app
from understudy.config import Settings
from understudy.progress import silent
from understudy.server import supervisor
from understudy.server.parent import release, start_child
from understudy.tasks import gpu_host
from understudy.tasks.answers import ChildDied
from understudy.tasks.gpu_host import GpuHost

CHILD = """
from understudy import config
from understudy.server.parent import settings_from_parent
settings_from_parent()
print(config.data_dir(), config.models_dir(), config.weights_dir(), sep="|", flush=True)
"""
HOST = """
import os
from pathlib import Path
from understudy import config
seen = (config.data_dir(), config.models_dir(), config.weights_dir())
Path(os.environ["UNDERSTUDY_TEST_SEEN"]).write_text("|".join(str(folder.resolve()) for folder in seen))
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


@pytest.mark.parametrize("relative", ["folder", "./folder", "~/folder"])
def test_relative_folders_are_those_of_the_worker_in_its_gpus_process_too(
    relative: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That process works in another folder."""
    seen = tmp_path / "seen"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UNDERSTUDY_TEST_SEEN", str(seen))
    for name in ("DATA", "MODELS", "WEIGHTS"):
        monkeypatch.setenv(f"UNDERSTUDY_{name}_DIR", f"{relative}/{name}")
    expected = [tmp_path / "folder" / name for name in ("DATA", "MODELS", "WEIGHTS")]
    assert [config.data_dir(), config.models_dir(), config.weights_dir()] == expected
    monkeypatch.setattr(gpu_host, "COMMAND", (sys.executable, "-P", "-c", HOST))

    async def story() -> None:
        with pytest.raises(ChildDied):
            await GpuHost("").make(tmp_path, silent, lambda _: None)

    asyncio.run(story())
    assert seen.read_text().split("|") == [str(folder.resolve()) for folder in expected]
