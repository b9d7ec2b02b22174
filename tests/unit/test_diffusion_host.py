"""The GPU's process without a model: what it tells of libraries that do not load, and of work that was stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_diffusion_assignment import BLANK, written

HOST = ("-m", "understudy.engines.diffusion.host")
MAKER = """
import sys, time
from understudy.engines.diffusion import host
from understudy.engines.diffusion.maker import StoppedError
from understudy.errors import EngineError

class Maker:
    def make(self, folder, progress, stopped):
        progress("denoising", 1, 1)
        while not stopped():
            time.sleep(0.001)
        raise {error}

host.serve(Maker)
"""


class Host:
    def __init__(self, *arguments: str, path: Path | None = None) -> None:
        before = [] if path is None else [str(path)]
        self.process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*before, *filter(None, sys.path)])},
            start_new_session=True,
        )

    def ask(self, **line: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.mark.parametrize("error", ["OSError", "RuntimeError", "ImportError"])
def test_libraries_that_do_not_load_are_told_and_kill_nobody(tmp_path: Path, error: str) -> None:
    for name in ("torch", "diffusers", "transformers"):
        (tmp_path / f"{name}.py").write_text(f"raise {error}('libcudart.so.12: cannot open it')\n")
    folder = tmp_path / "folder"
    written(folder, BLANK)
    host = Host(*HOST, path=tmp_path)
    for _ in range(2):
        host.ask(make=str(folder))
        told = host.hear()["error"]
        assert (told["kind"], told["code"]) == ("ModelError", "gpu_packages_missing")
        assert "libcudart.so.12" in told["message"]
        assert "docs/gpu.md" in told["fix"]
    assert host.process.poll() is None
    host.end()


@pytest.mark.parametrize(
    ("error", "told", "lives"),
    [
        ("StoppedError", {"stopped": True}, True),
        ("EngineError('gpu_memory', 'Too little.', fix='Take std.')", "gpu_memory", True),
        ("RuntimeError('the card is lost')", "engine_failed", False),
    ],
)
def test_what_ends_a_stopped_work_is_told_as_it_is(
    tmp_path: Path, error: str, told: object, lives: bool
) -> None:
    written(tmp_path, BLANK)
    host = Host("-c", MAKER.format(error=error))
    host.ask(make=str(tmp_path))
    assert "progress" in host.hear()
    host.ask(stop=True)
    answer = host.hear()
    assert (answer["error"]["code"] if "error" in answer else answer) == told
    if lives:
        host.ask(make=str(tmp_path))
        assert "progress" in host.hear()
    else:
        host.process.wait(20)
    host.end()


@pytest.mark.parametrize(("chosen", "order"), [(None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")])
def test_cards_are_numbered_as_the_driver_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, order: str
) -> None:
    """Before the libraries are imported: here by some that tell."""
    for name in ("torch", "diffusers", "transformers"):
        (tmp_path / f"{name}.py").write_text(
            "import os\nraise ImportError(os.environ['CUDA_DEVICE_ORDER'])\n"
        )
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_DEVICE_ORDER", chosen)
    written(tmp_path / "folder", BLANK)
    host = Host(*HOST, path=tmp_path)
    host.ask(make=str(tmp_path / "folder"))
    assert f": {order}." in host.hear()["error"]["message"]
    host.end()
