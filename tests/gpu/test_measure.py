"""The benchmark for a GPU does its work on any machine, with tiny weights; what ends it leaves what was measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_2

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "gpu"))
import budget
import measure

TINY = ("--tiny", "--steps", "2")
ONE = (*TINY, "--no-diffusers", "--precisions", "16", "--plans", "resident")
THREE = (*ONE, "small-cache", "small-weights")
PARTS = {"encoding", "driving pass", "denoising", "decoding"}


@pytest.fixture(autouse=True)
def published_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--tiny`` shortens them for its process."""
    monkeypatch.setitem(SPECS, WAN_ANIMATE_2.name, WAN_ANIMATE_2)


class Fake:
    """A way that is loaded at once and makes nothing, in as many steps as are asked for; ``seen`` are its plans and
    steps. ``before(plan, step)`` is called before each step, and for step -1 before it is loaded."""

    seen: list[tuple[str, int]]
    before: Callable[[str, int], None]

    def __init__(self, _weights: str, _device: Any, _dtype: Any, plan: Any, *, compiled: bool) -> None:
        assert not compiled
        self._plan = plan.name
        Fake.before(self._plan, -1)
        self.module = SimpleNamespace(encode_vae=lambda: None, decode_vae=lambda: None)
        self.transformer = SimpleNamespace(forward=lambda kv_cache_mode: None)

    def make(self, _folder: Path, assignment: Any) -> None:
        Fake.seen.append((self._plan, assignment.steps))
        self.module.encode_vae()
        self.transformer.forward(kv_cache_mode="extract")
        for step in range(assignment.steps):
            Fake.before(self._plan, step)
            self.transformer.forward(kv_cache_mode="cached")
        self.module.decode_vae()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setattr(measure, "Ours", Fake)
    monkeypatch.setattr(
        measure, "products", lambda *_: [{"way": "16 bits", "shape": [1, 1, 1], "lacking": ""}]
    )
    Fake.seen, Fake.before = [], staticmethod(lambda *_: None)
    return Fake


def rows(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """By plan, or diffusers, and run."""
    read = json.loads((out / "measure.json").read_text())["rows"]
    return {(row["way"].removeprefix("understudy, "), row["run"]): row for row in read}


def test_one_command_measures_each_plan_and_diffusers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (*TINY, "--plans", "resident", "small-weights", "--out", str(tmp_path))
    assert measure.main(list(given)) == 0, capsys.readouterr().out
    printed = capsys.readouterr().out
    measured = rows(tmp_path)
    assert list(measured) == [
        *(("resident", "first"), ("resident", "warm"), ("diffusers", "first"), ("diffusers", "warm")),
        *(("resident, 8 bits", "first"), ("resident, 8 bits", "warm"), ("small-weights", "warm")),
    ]
    for row in measured.values():
        assert row["work_s"] > 0
        assert row["work_s_per_video_s"] == pytest.approx(row["work_s"] * 24 / 5, rel=0.01)
        assert (row["segments"], row["frames"], row["steps_made"]) == (1, 5, 2)
        assert set(row["stages_s"]) == PARTS
        # Once as soon as it is known, and once in the table at the end.
        assert printed.count(f"| {row['way']} | tiny | {row['run']} | 2 | {row['work_s_per_video_s']} |") == 2
    assert "understudy, resident, tiny, warm: step 2 of 2, about" in printed
    products = json.loads((tmp_path / "measure.json").read_text())["products"]
    errors = {row["way"]: row["error"] for row in products}
    assert errors["16 bits"] < 1e-5
    assert errors["16 bits"] < errors["wide"] < errors["int8"] < errors["float8"] < 0.05
    assert errors["wide"] < errors["float8 weights without scales"]
    for row in products:
        assert f"| {row['way']} | {row['ms']} |" in printed


def test_what_is_killed_leaves_its_rows_and_the_next_call_goes_on(tmp_path: Path) -> None:
    given = [*ONE, "--out", str(tmp_path)]
    running = subprocess.Popen(
        [sys.executable, measure.__file__, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    with running:
        assert running.stdout is not None
        assert any("resident, tiny, warm: encoding" in said for said in running.stdout)
        running.kill()
    left = rows(tmp_path)
    first = left["resident", "first"]
    assert first["work_s"] > 0
    assert "work_s" not in left["resident", "warm"]
    assert left["resident", "warm"]["under_way"]

    assert measure.main(given) == 0
    after = rows(tmp_path)
    assert after["resident", "first"] == first
    assert after["resident", "warm"]["work_s"] > 0


def test_what_is_there_is_not_measured_again(tmp_path: Path, fake: type[Fake]) -> None:
    given = [*ONE, "--out", str(tmp_path)]
    measure.main(given)
    assert fake.seen == [("resident", 2)] * 2
    fake.seen.clear()
    assert measure.main([*THREE, "--out", str(tmp_path)]) == 0
    # What is only wanted warm is warmed up with a step.
    assert fake.seen == [("small-cache", 1), ("small-cache", 2), ("small-weights", 1), ("small-weights", 2)]


def test_an_error_is_named_in_its_row_and_the_others_go_on(
    tmp_path: Path, fake: type[Fake], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(plan: str, step: int) -> None:
        if (plan, step) == ("resident", 1):
            raise torch.OutOfMemoryError("no room\n| for it")
        if plan == "small-cache" and step < 0:
            raise RuntimeError("does not compile")

    fake.before = staticmethod(fail)
    given = [*THREE, "--out", str(tmp_path)]
    assert measure.main(given) == 1
    measured = rows(tmp_path)
    assert measured["resident", "first"]["error"] == "OutOfMemoryError: no room | for it"
    assert measured["resident", "warm"]["error"] == "OutOfMemoryError: no room | for it"
    assert measured["small-cache", "warm"]["error"] == "RuntimeError: does not compile"
    assert measured["small-weights", "warm"]["work_s_per_video_s"] >= 0
    assert "| tiny | first | 2 | error: OutOfMemoryError: no room / for it |" in capsys.readouterr().out

    fake.before = staticmethod(lambda *_: None)
    measure.main(given)
    assert rows(tmp_path) == measured
    assert measure.main([*given, "--again"]) == 0
    assert all("work_s" in row for row in rows(tmp_path).values())


def test_what_does_not_fit_into_the_minutes_is_left_out_with_a_word(tmp_path: Path, fake: type[Fake]) -> None:
    measure.main([*ONE, "--out", str(tmp_path)])
    known = json.loads((tmp_path / "measure.json").read_text())
    for row in known["rows"]:
        row["work_s"] = 400.0  # four units of the tiny size: a segment's own, its driving pass, two steps
    (tmp_path / "measure.json").write_text(json.dumps(known))
    fake.seen.clear()
    assert measure.main([*THREE, "--minutes", "11", "--out", str(tmp_path)]) == 0
    assert not fake.seen
    for plan in ("small-cache", "small-weights"):
        told = rows(tmp_path)[plan, "warm"]["skipped"]
        assert told.startswith("about 700 s would not fit into the 6")  # with the step that warms up
    assert measure.main([*THREE, "--minutes", "12", "--out", str(tmp_path)]) == 0
    assert len(fake.seen) == 4
    assert not any("skipped" in row for row in rows(tmp_path).values())


def test_a_run_ends_with_its_minutes_and_tells_its_steps(
    tmp_path: Path, fake: type[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0

    def pass_time(_plan: str, _step: int) -> None:
        nonlocal now_s
        now_s += 25

    fake.before = staticmethod(pass_time)
    monkeypatch.setattr(budget.time, "monotonic", lambda: now_s)
    given = [*ONE, "--steps", "5", "--minutes", "1.3", "--out", str(tmp_path)]
    assert measure.main(given) == 0
    measured = rows(tmp_path)
    # A quarter of a minute and more for loading, and for each step.
    assert measured["resident", "first"]["stopped"] == "the minutes were over after 2 steps"
    assert measured["resident", "first"]["steps_made"] == 2
    assert measured["resident", "warm"]["skipped"] == "a row would not fit into the 0 s that are left"
    now_s = 0.0
    measure.main([*given, "--minutes", "100"])
    assert all("work_s" in row for row in rows(tmp_path).values())


def test_breaking_it_off_keeps_what_was_measured(tmp_path: Path, fake: type[Fake]) -> None:
    def break_off(_plan: str, step: int) -> None:
        if len(fake.seen) == 2 and step == 1:
            signal.raise_signal(signal.SIGINT)

    fake.before = staticmethod(break_off)
    given = [*ONE, "--out", str(tmp_path)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its jobs ignore it
    try:
        assert measure.main(given) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    measured = rows(tmp_path)
    assert measured["resident", "first"]["work_s"] >= 0
    assert measured["resident", "warm"]["stopped"] == "broken off at: step 1 of 2"
    assert measured["resident", "warm"]["stages_s"]


def test_the_most_important_comes_first() -> None:
    def order(*given: str) -> list[tuple[str, str, tuple[str, ...]]]:
        asked = measure._arguments(list(given))
        cases = measure.cases_of(asked, WAN_ANIMATE_2, measure.SIZES)
        return [(case.way.removeprefix("understudy, "), case.size, case.runs) for case in cases]

    small, large, both, warm = "640x800", "720x1280", ("first", "warm"), ("warm",)
    main = [("resident", small, both), ("diffusers", small, both), ("resident, 8 bits", small, both)]
    at_large = [("resident", large, warm), ("resident, 8 bits", large, warm), ("diffusers", large, warm)]
    assert order()[:6] == main + at_large
    assert order()[6:8] == [("small-cache", small, warm), ("small-cache, 8 bits", small, warm)]
    assert order()[-1] == ("small-weights", large, warm)
    assert order("--sizes", small, "--plans", "resident", "--precisions", "8", "--no-diffusers") == main[2:]


def test_rows_of_another_machine_are_not_mixed_in(
    tmp_path: Path, fake: type[Fake], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*ONE, "--out", str(tmp_path)]
    measure.main(given)
    file = tmp_path / "measure.json"
    file.write_text(file.read_text().replace(torch.__version__, "1.0"))
    fake.seen.clear()
    assert measure.main(given) == 2
    assert "name another --out" in capsys.readouterr().err
    assert not fake.seen


def test_the_estimate_is_of_the_same_way_where_there_is_one() -> None:
    def row(way: str, size: str, work_s: float | None) -> dict[str, Any]:
        made = {} if work_s is None else {"work_s": work_s}
        return {"way": way, "size": size, "segments": 1, "steps": 10, **made}

    small = 421 + 353 + 2479 + 10 * 2738
    large = 763 + 639 + 6541 + 10 * 7308
    assert budget.COUNTED["720x1280"].segments(2, 10) == 2 * large
    assert budget.estimate_s(large, [row("one", "640x800", None)], "one") is None
    measured = [row("one", "640x800", 30.0), row("two", "640x800", 60.0)]
    assert budget.estimate_s(large, measured, "one") == pytest.approx(30 * large / small)
    assert budget.estimate_s(large, measured, "three") == pytest.approx(60 * large / small)
