"""Rig sheets of every picture of a folder, and a table: seconds of each step, likeness of the rest pose.

    python benchmarks/rigs.py --media FOLDER                       all pictures
    python benchmarks/rigs.py jacket sty_ --media FOLDER           those with one of these words in their name
    python benchmarks/rigs.py --media FOLDER --matting learned     cut out by the learned matte

Each picture's sheet (what `understudy rig` writes) goes to ``OUT/NAME.png``; the table to the terminal and to
``OUT/rigs.md``, the figures to ``OUT/rigs.json``. A picture that is refused stands in the table with the error's code.
Steps are timed in one process, networks loaded before: finding the character, the matte, cutting (the rig and its face)
with the background filled beside it, and what the fill takes longer; then one frame of drawing, the median over the
exercises.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2

from understudy.engines.puppet.engine import Puppet, PuppetEngine
from understudy.engines.puppet.exercises import exercise_poses
from understudy.engines.puppet.learned_matte import matter_for
from understudy.engines.puppet.matte import Matter
from understudy.engines.puppet.rest import painted, parts_psnr, rest_frame, rest_psnr
from understudy.engines.puppet.sheet import rig_sheet
from understudy.errors import UnderstudyError
from understudy.media.picture import load_picture
from understudy.request import Matting, Mode, MotionRequest
from understudy.tracking.mediapipe_tracker import MediaPipeTracker

SUFFIXES = (".png", ".jpg", ".jpeg")
STEPS = ("find", "matte", "cut", "fill")  # as the engine reports them, each when it is done


@dataclass
class Row:
    """One picture: how its character was found, decibels of the rest pose, seconds of each step; or an error's code."""

    name: str
    found_by: str = ""
    limbs: int = 0
    rest_psnr: float | None = None
    worst_part: str = ""
    worst_part_psnr: float | None = None
    steps_s: dict[str, float] = field(default_factory=dict)
    rig_s: float = 0.0  # all of preparing, what lies between the steps included
    frame_ms: float = 0.0
    error: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Rig sheets and a table for the pictures of a folder.")
    parser.add_argument("words", nargs="*", help="only pictures with one of these in their name")
    parser.add_argument("--media", type=Path, required=True, help="the folder, looked through to its depths")
    parser.add_argument("--out", type=Path, default=Path("out/rigs"))
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.STD)
    parser.add_argument("--matting", type=Matting, choices=list(Matting), default=Matting.OWN)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    paths = sorted(path for path in options.media.rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = [path for path in paths if not options.words or any(word in path.stem for word in options.words)]
    if not paths:
        parser.error(f"no such picture in {options.media}")
    options.out.mkdir(parents=True, exist_ok=True)
    tracker = MediaPipeTracker(threads=options.threads)
    matter = matter_for(options.matting, threads=options.threads)
    rows = []
    for path in paths:
        row = Row(path.stem)
        rows.append(row)
        try:
            look(path, row, tracker, matter, options)
        except UnderstudyError as error:
            row.error = error.code
        print(f"{row.name}: {row.error or f'{row.rig_s:.1f} s, rest {row.rest_psnr:.1f} dB'}", flush=True)
    text = table(rows)
    (options.out / "rigs.md").write_text(text, encoding="utf-8")
    (options.out / "rigs.json").write_text(
        json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8"
    )
    print(text)


def look(
    path: Path, row: Row, tracker: MediaPipeTracker, matter: Matter, options: argparse.Namespace
) -> None:
    """Prepare the picture's puppet, fill in its ``row``, write its sheet."""
    engine = PuppetEngine(tracker=tracker, matter=matter, threads=options.threads)
    request = MotionRequest(image=path, output=options.out / "unused.mp4", mode=options.mode)
    picture = load_picture(path, limits=False)
    told_s: list[float] = []
    puppet = engine.prepare(picture, request, lambda *_: told_s.append(time.perf_counter()))
    row.steps_s = {step: b - a for step, (a, b) in zip(STEPS, pairwise(told_s), strict=True)}
    row.rig_s = told_s[-1] - told_s[0]
    row.found_by = puppet.character.found_by
    row.limbs = len(puppet.rig.limbs)
    rest = rest_frame(puppet.rig)
    row.rest_psnr = rest_psnr(rest, puppet.reference, puppet.matte.alpha)
    inside = parts_psnr(puppet.rig, rest, puppet.reference)
    row.worst_part = min(inside, key=lambda name: inside[name], default="")
    row.worst_part_psnr = inside.get(row.worst_part)
    row.frame_ms = frame_ms(puppet)
    page = cv2.cvtColor(rig_sheet(puppet), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(options.out / f"{path.stem}.png"), page)


def frame_ms(puppet: Puppet) -> float:
    """Milliseconds of drawing one frame: the median of the exercises, the first left out, which loads."""
    poses = exercise_poses(puppet.rig)
    painted(puppet.rig, poses)
    times = []
    for _ in range(3):
        begun_s = time.perf_counter()
        painted(puppet.rig, poses)
        times.append(1000 * (time.perf_counter() - begun_s) / len(poses))
    return statistics.median(times)


def table(rows: list[Row]) -> str:
    steps = " | ".join(f"{step} s" for step in STEPS)
    lines = [
        f"| picture | found by | limbs | rest dB | worst part dB | {steps} | rig s | frame ms |",
        "|---|---|" + "---:|" * (len(STEPS) + 5),
    ]
    for row in rows:
        if row.error:
            lines.append(f"| {row.name} | {row.error} |" + " |" * (len(STEPS) + 5))
            continue
        steps = " | ".join(f"{row.steps_s.get(column, 0.0):.2f}" for column in STEPS)
        lines.append(
            f"| {row.name} | {row.found_by} | {row.limbs} | {row.rest_psnr:.1f} | "
            f"{row.worst_part} {row.worst_part_psnr or 0:.1f} | {steps} | {row.rig_s:.2f} | {row.frame_ms:.1f} |"
        )
    made = [row for row in rows if not row.error]
    if len(made) > 1:
        middle = " | ".join(
            f"{statistics.median(row.steps_s.get(column, 0.0) for row in made):.2f}" for column in STEPS
        )
        likeness = [row.rest_psnr for row in made if row.rest_psnr is not None]
        lines.append(
            f"| median of {len(made)} | | | {statistics.median(likeness):.1f} | | {middle} | "
            f"{statistics.median(row.rig_s for row in made):.2f} | "
            f"{statistics.median(row.frame_ms for row in made):.1f} |"
        )
        lines.append(
            f"| worst of {len(made)} | | | {min(likeness):.1f} | |"
            + " |" * len(STEPS)
            + f" {max(row.rig_s for row in made):.2f} | {max(row.frame_ms for row in made):.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
