"""How well frames between two others are made, and what becomes of a video's rate on the way through a model.

    python benchmarks/interpolation.py --media FOLDER [--clips NAME ...] [--sheets FOLDER]

First table: every second frame is kept and the ones between are made of their neighbours, at twice the gap that the
engine meets: the worst case, and half of it. Medians, per clip, of the triples that move most: peak signal to noise,
structural similarity, and how far things stand from where they ought to be (pixels, by optical flow from the true to
the made frame, where the neighbours differ by movement). And the processor time of one frame of ours together with
finding its neighbours' movement.

Second table: the whole way of a clip through a model that would copy what it is shown: its frames at 24 a second, and
back at the clip's own times. "even" takes the model's frames at the model's own even times, "own" at the times of the
frames that it was shown. Means over all frames: fidelity, distance, and the share of frames that are the model's as
they are. `--sheets` writes a picture for each clip of its worst triples: first, second, truth, nearest, mixed, ours.

Nothing here is a figure of a model's quality: no model runs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.interpolation import Between
from understudy.engines.diffusion.timeline import model_times, retimed, sampled, shown_times
from understudy.evaluation.pixels import mean_square, psnr, ssim
from understudy.media.clip import probe, read_frames

Frame = NDArray[np.uint8]
Triple = tuple[Frame, Frame, Frame]

# Dance, hands, talking, a moving camera: clips without repeated frames.
CLIPS = (
    "fb_dance_indoor_20s",
    "fb_kungfu_still_then_fast",
    "fb_jumping_jacks_dissolves",
    "fb_dance_rooftop",
    "fb_small_person_with_dog",
    "neg_too_short_2s8_turnaround",
    "ub_talk_seated_gestures",
    "ub_talk_man_glasses",
    "ub_running_tracking_shot",
    "ub_zoom_out_beach",
    "hd_expressions_man_sweater",
)
SECONDS, WAY_SECONDS = 9.0, 3.0  # of a clip, for the first table and for the second
EVERY = 6  # frames from one triple to the next
TRIPLES = 12
SHORT_SIDE = 640
MODEL_FPS = 24
MOVES_PX = 1.0  # between the neighbours, from which a pixel counts as moving
LEAST_MOVING = 200  # pixels, else nothing is said of where things are
WORST, SHEET_SIDE = 3, 320


@dataclass(frozen=True)
class Figures:
    psnr: float
    ssim: float
    off_px: float
    ms: float = 0.0


def triples(path: Path, count: int = TRIPLES) -> Iterator[Triple]:
    """``count`` of a clip's runs of three frames, spread over the half that moves more."""
    steps = [
        float(np.abs(tiny(first).astype(np.float32) - tiny(third)).mean()) for first, _, third in runs(path)
    ]
    most = np.argsort(steps)[::-1][: max(len(steps) // 2, min(count, len(steps)))]
    chosen = set(most[np.linspace(0, len(most) - 1, min(count, len(most))).astype(int)].tolist())
    for number, run in enumerate(runs(path)):
        if number in chosen:
            yield run


def runs(path: Path) -> Iterator[Triple]:
    held: deque[Frame] = deque(maxlen=3)
    for number, frame in enumerate(frames_of(path)):
        held.append(frame)
        if number % EVERY == 2:
            yield held[0], held[1], held[2]


def frames_of(path: Path, seconds: float = SECONDS) -> Iterator[Frame]:
    return (frame for _, frame in timed(path, seconds))


def timed(path: Path, seconds: float) -> Iterator[tuple[float, Frame]]:
    return read_frames(probe(path), stop_s=seconds, short_side_max=SHORT_SIDE)


def tiny(frame: Frame) -> Frame:
    return np.asarray(cv2.resize(frame, (160, 160), interpolation=cv2.INTER_AREA), np.uint8)


def nearest(first: Frame, second: Frame) -> Frame:
    return first


def mixed(first: Frame, second: Frame) -> Frame:
    return np.asarray(cv2.addWeighted(first, 0.5, second, 0.5, 0), np.uint8)


def ours(first: Frame, second: Frame) -> Frame:
    return Between(first, second).at(0.5)


WAYS: dict[str, Callable[[Frame, Frame], Frame]] = {"nearest": nearest, "mixed": mixed, "ours": ours}


def displaced(first: Frame, second: Frame, truth: Frame, made: Frame) -> float:
    """How far what moves from first to second is, in ``made``, from where it is in truth: mean, pixels. NaN where
    nothing moves."""
    step = np.hypot(*cv2.split(movement(first, second)))
    moving = step > MOVES_PX / 2  # of the half size
    if moving.sum() < LEAST_MOVING:
        return math.nan
    return float(2 * np.hypot(*cv2.split(movement(truth, made)))[moving].mean())


def movement(one: Frame, other: Frame) -> NDArray[np.float32]:
    """At half size."""
    grey = [cv2.cvtColor(cv2.resize(f, None, fx=0.5, fy=0.5), cv2.COLOR_RGB2GRAY) for f in (one, other)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(search.calc(*grey, None))


def between(path: Path) -> dict[str, Figures]:
    """Each way's medians over a clip's triples."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
    for first, truth, second in triples(path):
        for name, way in WAYS.items():
            begun_s = time.process_time()
            made = way(first, second)
            spent_ms = 1000 * (time.process_time() - begun_s)
            off = displaced(first, second, truth, made)
            rows[name].append((psnr(mean_square(made, truth)), ssim(made, truth), off, spent_ms))
    return {name: Figures(*np.nanmedian(np.array(found), axis=0).tolist()) for name, found in rows.items()}


def through(path: Path, times: str, seconds: float = WAY_SECONDS) -> tuple[float, float, float]:
    """Fidelity (dB), distance (pixels) and share of the model's own frames, after the way to the model and back."""
    times_s = np.array([time_s for time_s, _ in timed(path, seconds)], np.float32)
    asked = model_times(times_s, MODEL_FPS)
    shown = sampled(timed(path, seconds), asked)
    squares, off, exact = [], [], 0
    before: Frame | None = None
    for truth, frame in zip(frames_of(path, seconds), back(times, shown, asked, times_s), strict=True):
        square = mean_square(frame, truth)
        exact += square == 0
        squares.append(square)
        if before is not None:
            off.append(displaced(before, truth, truth, frame) if square else 0.0)
        before = truth
    return psnr(float(np.mean(squares))), float(np.nanmean(off)), exact / len(squares)


def back(
    times: str, made: Iterator[Frame], asked: NDArray[np.float64], times_s: NDArray[np.float32]
) -> Iterator[Frame]:
    if times == "nearest":
        return sampled(zip(asked.tolist(), made, strict=True), times_s)
    if times == "even":
        return retimed(made, model_times(times_s, MODEL_FPS), times_s)
    return retimed(made, shown_times(times_s, asked), times_s)


def sheet(path: Path, out: Path) -> None:
    """The triples that ours makes worst, each about the place of the largest change."""
    found = sorted(
        (
            (ssim(ours(first, second), truth), number)
            for number, (first, truth, second) in enumerate(triples(path))
        )
    )
    worst = {number for _, number in found[:WORST]}
    rows = []
    for number, (first, truth, second) in enumerate(triples(path)):
        if number in worst:
            window = busiest(first, second)
            shown = (first, second, truth, *(way(first, second) for way in WAYS.values()))
            rows.append(np.hstack([cv2.resize(f[window], (SHEET_SIDE, SHEET_SIDE)) for f in shown]))
    cv2.imwrite(str(out), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def busiest(first: Frame, second: Frame) -> tuple[slice, slice]:
    height, width = first.shape[:2]
    half = min(height, width, SHEET_SIDE) // 2
    change = cv2.blur(cv2.absdiff(first, second).max(2).astype(np.float32), (81, 81))
    row, column = np.unravel_index(int(change.argmax()), change.shape)
    top = int(np.clip(row - half, 0, height - 2 * half))
    left = int(np.clip(column - half, 0, width - 2 * half))
    return slice(top, top + 2 * half), slice(left, left + 2 * half)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--clips", nargs="+", default=CLIPS)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    cv2.setNumThreads(chosen.threads)
    paths = [chosen.media / "videos" / f"{name}.mp4" for name in chosen.clips]

    print(f"dB / similarity / px off | {' | '.join(WAYS)} | ours, CPU ms\n---|{'---|' * len(WAYS)}---")
    for path in paths:
        figures = between(path)
        cells = (f"{f.psnr:.1f} / {f.ssim:.3f} / {f.off_px:.1f}" for f in figures.values())
        print(f"{path.stem} | {' | '.join(cells)} | {figures['ours'].ms:.0f}", flush=True)

    print(f"\ndB / px off / model's own | {' | '.join(('nearest', 'even', 'own'))}\n---|---|---|---")
    for path in paths:
        cells = []
        for times in ("nearest", "even", "own"):
            fidelity, off, exact = through(path, times)
            cells.append(f"{fidelity:.1f} / {off:.2f} / {exact:.0%}")
        print(f"{path.stem} ({float(probe(path).fps):.5g} fps) | {' | '.join(cells)}", flush=True)

    if chosen.sheets is not None:
        chosen.sheets.mkdir(parents=True, exist_ok=True)
        for path in paths:
            sheet(path, chosen.sheets / f"{path.stem}.png")
        print(f"\nsheets in {chosen.sheets}")


if __name__ == "__main__":
    main()
