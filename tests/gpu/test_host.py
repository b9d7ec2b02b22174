"""The GPU's process as it is, with tiny weights on the processor: warm, stopped, asked again, ended with its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter, finished, load_assignment
from understudy.engines.diffusion.spec import WAN_ANIMATE_2

FRAMES, SIDE, STEPS = 161, 32, 2  # two segments
HOST = """
import sys
from pathlib import Path
from understudy.engines.diffusion import host, loading
loading.weights_folder = lambda name: Path(sys.argv[1])
host.serve(host.real_maker)
"""


class Host:
    def __init__(self, weights: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", HOST, str(weights)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "UNDERSTUDY_GPU_DEVICE": "cpu"},
            start_new_session=True,
        )

    def ask(self, **line: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it ended"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def until(self, *kinds: str) -> list[dict[str, Any]]:
        heard = [self.hear()]
        while not heard[-1].keys() & set(kinds):
            heard.append(self.hear())
        return heard


@pytest.fixture
def host(tiny_animate2: Path) -> Iterator[Host]:
    started = Host(tiny_animate2)
    yield started
    assert started.process.stdin is not None
    assert started.process.stdout is not None
    started.process.stdin.close()
    started.process.wait(20)
    started.process.stdout.close()


def assigned(folder: Path, steps: int = STEPS) -> Path:
    folder.mkdir()
    blank = Assignment(WAN_ANIMATE_2.name, SIDE, SIDE, FRAMES, "a dancer", 1, steps, "")
    writer = AssignmentWriter(folder, blank, np.full((SIDE, SIDE, 3), 200, np.uint8))
    for index in range(FRAMES):
        writer.add("driving", np.full((SIDE, SIDE, 3), index, np.uint8))
    writer.finish()
    return folder


def test_it_makes_segments_stops_and_goes_on(host: Host, tmp_path: Path) -> None:
    folder = assigned(tmp_path / "first")
    host.ask(make=str(folder))
    heard = host.until("done", "error")
    assert [each["segment"] for each in heard if "segment" in each] == [0, 1]
    assert {"loading", "denoising"} <= heard[-1]["done"].keys()
    assert finished(folder, load_assignment(folder)) == 2
    assert not list(folder.glob(".*"))

    longer = assigned(tmp_path / "longer", steps=20)
    host.ask(make=str(longer))
    host.until("progress")
    host.ask(stop=True)
    assert host.until("done", "error", "stopped")[-1] == {"stopped": True}

    (tmp_path / "broken").mkdir()
    host.ask(make=str(tmp_path / "broken"))
    assert host.until("done", "error")[-1]["error"]["code"] == "assignment_invalid"

    host.ask(make=str(folder))
    assert "done" in host.until("done", "error")[-1]
