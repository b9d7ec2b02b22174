"""How the worker has a GPU's process stop: while it loads its model, and where it fails at that."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from fake_gpu import written

from understudy.tasks import gpu_host
from understudy.tasks.gpu_host import GpuHost

HOST = """
import sys, time
from pathlib import Path
from understudy.engines.diffusion import host
from understudy.engines.diffusion.maker import StoppedError

class Maker:
    def make(self, folder, progress, stopped):
        gate = Path(sys.argv[1])
        if gate.exists():
            return {{}}
        progress("loading", 0, 1)
        while not (gate.exists() and stopped()):
            time.sleep(0.001)
        raise {error}

host.serve(Maker)
"""


@pytest.mark.parametrize(("error", "processes"), [("StoppedError", 1), ("RuntimeError('lost')", 2)])
def test_a_process_may_load_its_model_before_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, processes: int
) -> None:
    gate, folder = tmp_path / "gate", tmp_path / "folder"
    folder.mkdir()
    written(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr(
        gpu_host, "COMMAND", (sys.executable, "-P", "-c", HOST.format(error=error), str(gate))
    )
    monkeypatch.setattr(gpu_host, "STOP_S", 0.0)

    async def story() -> None:
        host, loading, pids = GpuHost(""), asyncio.Event(), set()
        try:
            work = asyncio.create_task(host.make(folder, lambda *_: loading.set(), lambda _: None))
            async with asyncio.timeout(20):
                await loading.wait()
                work.cancel()
                await asyncio.wait((work,))
                await asyncio.sleep(0.1)  # as long as nothing lets it go on, it is waited for
                assert host.stopping
                assert host.loading
                assert host._process is not None
                pids.add(host._process.pid)
                gate.touch()
                assert await host.make(folder, lambda *_: None, lambda _: None) == {}
                assert not host.loading
                pids.add(host._process.pid)
        finally:
            await host.close()
        assert len(pids) == processes

    asyncio.run(story())


def test_what_amds_cards_need_is_handed_on_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"HIP_VISIBLE_DEVICES": "1", "HSA_OVERRIDE_GFX_VERSION": "11.0.0", "ROCR_VISIBLE_DEVICES": "1"}
    for name, value in {**kept, "AWS_SECRET_ACCESS_KEY": "x", "UNDERSTUDY_SECRET_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    told = gpu_host._environment("3")
    assert kept.items() <= told.items()
    assert told["CUDA_VISIBLE_DEVICES"] == "3"
    assert not any("SECRET" in name for name in told)
