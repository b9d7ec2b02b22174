"""Seconds and memory of Wan-Animate-2 on this GPU, with random weights of the published sizes, beside plain diffusers.

    PYTHONPATH=src python benchmarks/gpu/measure.py --out out/gpu

Needs torch, diffusers and transformers, and nothing from a network. Each row makes a clip of ``--segments`` segments
(3.4 s of video the first, 3.3 s each further one) from a random picture and random frames: the same arithmetic as a
real one, and noise comes out. Longer clips are more of the same segments, so seconds per second of video hold for
those too.

The most important comes first: the fastest plan at the first size in 16 bits, diffusers' own pipeline, 8 bits; then the
other sizes; then the other plans. ``first`` is the first clip of a loaded model, ``warm`` one after it; where only
``warm`` is wanted, or ``first`` was measured by another call, a clip of one step goes before it, unmeasured. After the
first rows come single matrix products in 16 bits and each way of 8.

Each row is printed and in measure.json as soon as it is known; what goes wrong in one is named in it, and the next goes
on. What does not fit into ``--minutes`` is left out with a word, and what runs out of them in the middle is stopped
there and tells its steps so far. A further call with the same ``--out`` measures what is missing. ``--tiny`` tries the
script itself on any machine.
"""

from __future__ import annotations

import argparse
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from traceback import clear_frames
from typing import Any

import numpy as np
import torch
from budget import COUNTED, Budget, estimate_s
from cases import WARM, Case, cases_of
from diffusers import __version__ as diffusers_version
from diffusers.utils import logging as diffusers_logging
from products import products, products_table
from record import ERROR, HEAD, SKIPPED, STOPPED, UNDER_WAY, Record, line
from watch import OutOfTimeError, Watch
from ways import Ours, Theirs

from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter
from understudy.engines.diffusion.card import give_back, wait_for
from understudy.engines.diffusion.plan import GIB, PLANS, PRECISIONS
from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_2, ModelSpec

CAPTION = "人物外观描述：穿着一件浅蓝色衬衫的人物。背景描述：背景为明亮的房间。"
SIZES = {"640x800": (640, 800), "720x1280": (720, 1280)}
TINY = {"tiny": (32, 48)}
TINY_FRAMES = 5  # of a segment
MINUTES = 9.0  # of ten that a command often has
WORDS_OF_AN_ERROR = 300  # letters


class Measuring:
    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._budget = Budget(asked.minutes)
        self._device = torch.device(asked.device)
        on_card = self._device.type == "cuda"
        self._dtype = torch.bfloat16 if on_card else torch.float32
        self._weights = "tiny" if asked.tiny else "full"
        self._spec: ModelSpec = SPECS[WAN_ANIMATE_2.name]
        self._sizes = TINY if asked.tiny else SIZES
        self._loading_s = 0.0  # of the last that was loaded
        about = {
            "device": torch.cuda.get_device_name(self._device)
            if on_card
            else platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "diffusers": diffusers_version,
            "dtype": str(self._dtype).removeprefix("torch."),
            "weights": "tiny" if asked.tiny else "random, of the published sizes",
            "compiled": asked.compile,
        }
        self._record = Record(about, asked.out, again=asked.again)

    def all(self) -> int:
        """An exit status: 0, 1 where a row went wrong, 130 where it was broken off."""
        print(" ".join(f"{name}: {value}" for name, value in self._record.about.items()), HEAD, sep="\n")
        cases = list(cases_of(self._asked, self._spec, self._sizes))
        try:
            for number, case in enumerate(cases, 1):
                self._case(case, f"{number} of {len(cases)}")
                if number == 1:
                    self._products()
        except KeyboardInterrupt:
            for row in self._record.rows:
                if UNDER_WAY in row:
                    row[STOPPED] = "broken off at: " + row.pop(UNDER_WAY)
            self._record.save()
            self._told("broken off")
            return 130
        finally:
            print(f"\n{self._record.table()}", flush=True)
        return int(any(ERROR in row for row in self._record.rows))

    def _case(self, case: Case, number: str) -> None:
        todo = [run for run in case.runs if not self._record.has(self._named(case, run))]
        if not todo:
            self._told(f"{number}: {case.way}, {case.size}: is there already")
            return
        lacking = self._lacking(case, todo[0], loaded=False)
        for run in todo if lacking else ():
            self._known({**self._named(case, run), SKIPPED: lacking})
        if lacking:
            return
        rest = list(todo)
        try:
            self._told(f"{number}: {case.way}, {case.size}: loading random weights")
            begun = time.perf_counter()
            way = self._loaded(case)
            wait_for(self._device)
            self._loading_s = time.perf_counter() - begun
            self._told(f"loaded in {self._loading_s:.1f} s")
            while rest:
                self._run(case, way, rest[0], cold=rest == todo)
                rest.pop(0)
        except Exception as error:
            clear_frames(error.__traceback__)  # they hold what is on the device
            said = " ".join(str(error).split())[:WORDS_OF_AN_ERROR]
            for run in rest:
                self._known({**self._named(case, run), ERROR: f"{type(error).__name__}: {said}"})
        way = None
        give_back(self._device)

    def _loaded(self, case: Case) -> Ours | Theirs:
        if case.plan is None:
            return Theirs(self._weights, self._device, self._dtype)
        return Ours(self._weights, self._device, self._dtype, case.plan, compiled=self._asked.compile)

    def _run(self, case: Case, way: Ours | Theirs, run: str, *, cold: bool) -> None:
        """One row, measured; the warm-up before it too, where nothing was made since loading."""
        named = self._named(case, run)
        lacking = self._lacking(case, run, loaded=True)
        if lacking:
            self._known({**named, SKIPPED: lacking})
            return
        if cold and run == WARM:
            self._told("warming up with one step")
            self._made(case, way, 1, lambda *_: None)

        def told(at: str, watch: Watch) -> None:
            self._record.put({**named, **_seen(watch), UNDER_WAY: at})
            self._told(f"{case.way}, {case.size}, {run}: {at}")

        watch, took, peak_gib = self._made(case, way, self._asked.steps, told)
        row = {
            **named,
            **_seen(watch),
            "peak_gib": round(peak_gib, 1),
            "loading_s": round(self._loading_s, 2),
        }
        if case.plan is not None:
            row["estimated_gib"] = case.plan.needs_gib
        if took is None:
            row[STOPPED] = f"the minutes were over after {watch.steps} steps"
        else:
            row |= {"work_s": round(took, 3), "work_s_per_video_s": round(took / named["video_s"], 3)}
        self._known(row)

    def _made(
        self, case: Case, way: Ours | Theirs, steps: int, told: Any
    ) -> tuple[Watch, float | None, float]:
        """A clip: what was seen of it, its seconds (none where the minutes were over), and GiB at the most."""
        width, height = self._sizes[case.size]
        segments = self._asked.segments
        watch = Watch(self._device, segments * steps, lambda: self._budget.left_s, told)
        with tempfile.TemporaryDirectory() as folder:
            assignment = _assigned(Path(folder), self._spec, width, height, self._frames, steps)
            took: float | None = None
            with _peak(self._device) as peak, watch.on(way.module, way.transformer):
                begun = time.perf_counter()
                try:
                    way.make(Path(folder), assignment)
                    wait_for(self._device)
                    took = time.perf_counter() - begun
                except OutOfTimeError as error:
                    clear_frames(error.__traceback__)
        return watch, took, peak[0]

    def _products(self) -> None:
        if self._record.products:
            return
        self._told("single matrix products")
        try:
            self._record.put_products(products(self._device, self._dtype, self._weights))
            print(products_table(self._record.products), flush=True)
        except Exception as error:
            self._told(f"single matrix products went wrong: {type(error).__name__}: {error}")
        give_back(self._device)

    @property
    def _frames(self) -> int:
        return self._spec.overlap + self._asked.segments * self._spec.advance

    def _named(self, case: Case, run: str) -> dict[str, Any]:
        return {
            "way": case.way,
            "size": case.size,
            "run": run,
            "steps": self._asked.steps,
            "frames": self._frames,
            "segments": self._asked.segments,
            "video_s": round(self._frames / self._spec.fps, 3),
        }

    def _lacking(self, case: Case, run: str, *, loaded: bool) -> str:
        counted, segments = COUNTED[case.size], self._asked.segments
        tflop = counted.segments(segments, self._asked.steps)
        if run == WARM and not loaded:
            tflop += counted.segments(segments, 1)
        needed_s = estimate_s(tflop, self._record.rows, case.way)
        if needed_s is not None and not loaded:
            needed_s += self._loading_s
        return self._budget.lacking(needed_s)

    def _known(self, row: dict[str, Any]) -> None:
        self._record.put(row)
        print(line(row), flush=True)

    def _told(self, text: str) -> None:
        print(f"[{self._budget.clock()}] {text}", flush=True)


def _seen(watch: Watch) -> dict[str, Any]:
    return {
        "steps_made": watch.steps,
        "stages_s": {name: round(seconds, 3) for name, seconds in watch.seconds.items()},
    }


@contextmanager
def _peak(device: torch.device) -> Iterator[list[float]]:
    peak: list[float] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield peak
    peak.append(torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else 0.0)


def _assigned(folder: Path, spec: ModelSpec, width: int, height: int, frames: int, steps: int) -> Assignment:
    rng = np.random.default_rng(0)
    blank = Assignment(spec.name, width, height, frames, CAPTION, 0, steps, "")
    writer = AssignmentWriter(folder, blank, rng.integers(0, 255, (height, width, 3), np.uint8))
    for _ in range(frames):
        writer.add("driving", rng.integers(0, 255, (height, width, 3), np.uint8))
    return writer.finish()


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="that it may take in all")
    parser.add_argument("--segments", type=int, default=1, help="of each clip")
    parser.add_argument("--steps", type=int, default=WAN_ANIMATE_2.steps)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument(
        "--plans", nargs="+", choices=PLANS, default=["resident", "small-cache", "small-weights"]
    )
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--compile", action="store_true", help="ours with blocks compiled")
    parser.add_argument("--diffusers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--again", action="store_true", help="try rows that went wrong once more")
    parser.add_argument("--tiny", action="store_true", help="try the script: tiny weights, any machine")
    parser.add_argument("--device", help="cuda; with --tiny the processor")
    parser.add_argument("--out", type=Path, help="folder for measure.json, or with one to go on from")
    asked = parser.parse_args(given)
    asked.device = asked.device or ("cpu" if asked.tiny else "cuda")
    return asked


def main(given: list[str] | None = None) -> int:
    asked = _arguments(given)
    if asked.tiny:
        SPECS[WAN_ANIMATE_2.name] = replace(WAN_ANIMATE_2, segment_frames=TINY_FRAMES)
    try:
        measuring = Measuring(asked)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return measuring.all()


def _ended(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _ended)
    diffusers_logging.set_verbosity_error()  # not a word for each part that is made
    sys.exit(main())
