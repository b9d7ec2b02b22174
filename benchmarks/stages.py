"""Where the milliseconds of a job go, and how many of them no code of ours could save.

    python benchmarks/stages.py                                   the sample, looped to ten seconds
    python benchmarks/stages.py '{"image": "A.png", "video": "B.mp4", "output": "out.mp4"}'

With one thread, in processor time, so that what else the machine does counts little. The floor of a part is what its
networks, FFmpeg or x264 take by themselves for what was asked of them; that of drawing is one warp of the whole frame.
A Markdown table goes to the terminal.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGUN_S = time.process_time()
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it

import av  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from understudy.animate import animate  # noqa: E402
from understudy.engines.puppet import engine as puppet  # noqa: E402
from understudy.media import encode  # noqa: E402
from understudy.request import Result  # noqa: E402
from understudy.sample import character_path, clip_path  # noqa: E402
from understudy.tracking import clip_tracking, extremities, mediapipe_tracker, network  # noqa: E402
from understudy.tracking.camera import CameraMovement  # noqa: E402
from understudy.tracking.region import Region  # noqa: E402

IMPORTED_S = time.process_time() - BEGUN_S
SECONDS = 10.0
DECODING, DRAWING, FACE, COLOURS, WRITING = "decoding", "drawing", "face", "colours", "writing"
READING, AFTER = "reading the picture and the clip's packets", "jumps, sides, smoothing, after the last frame"
# What the tracker does beside its networks, frame by frame.
CROPS, CUTS, CAMERA, IRISES = "crops", "cuts", "camera", "irises"


class Clock:
    """Processor seconds of parts, each without those of the parts inside it; a part's name begins with its stage's."""

    def __init__(self) -> None:
        self.stage = ""
        self.spent_s: dict[tuple[str, str], float] = defaultdict(float)
        self._inner = threading.local()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        outer = getattr(self._inner, "s", 0.0)
        self._inner.s = 0.0
        begun = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - begun
            self.spent_s[self.stage, name] += spent - self._inner.s
            self._inner.s = outer + spent

    def about(self, owner: Any, function: str, name: str) -> None:
        work = getattr(owner, function)

        def timed(*args: Any, **options: Any) -> Any:
            with self.part(name):
                return work(*args, **options)

        setattr(owner, function, timed)

    def about_items(self, owner: Any, function: str, name: str) -> None:
        make = getattr(owner, function)

        def timed(*args: Any, **options: Any) -> Iterator[Any]:
            items = iter(make(*args, **options))
            while True:
                with self.part(name):
                    item = next(items, self)
                if item is self:
                    return
                yield item

        setattr(owner, function, timed)


@dataclass(frozen=True)
class Row:
    part: str
    spent_s: float
    floor_s: float | None = None


def main() -> None:
    cv2.setNumThreads(1)
    clock = Clock()
    instrument(clock)
    with tempfile.TemporaryDirectory() as folder:
        request = json.loads(sys.argv[1]) if len(sys.argv) > 1 else sample(Path(folder))
        video = request["video"]
        ended_s: dict[str, float] = {}

        def told(stage: str, done: int, total: int) -> None:
            ended_s[stage] = time.process_time()

        result = animate(request.pop("image"), progress=told, **{**request, "threads": 1})
        ended_s["end"] = time.process_time()
        rows = parts(clock, ended_s, decoding_s(video, result.frames), result)
    whole_s = ended_s["end"] - BEGUN_S
    print("| part | ms a frame | share | floor, ms a frame |\n|---|---|---|---|")
    for row in rows:
        floor = "" if row.floor_s is None else f"{1e3 * row.floor_s / result.frames:.1f}"
        print(
            f"| {row.part} | {1e3 * row.spent_s / result.frames:.1f} | {row.spent_s / whole_s:.0%} | {floor} |"
        )
    floor_s = sum(row.floor_s or 0.0 for row in rows)
    print(f"| all | {1e3 * whole_s / result.frames:.1f} | 100% | {1e3 * floor_s / result.frames:.1f} |")
    print(f"\n{result.frames} frames of {result.width} x {result.height}, {result.duration_s:.2f} s of video")


def sample(folder: Path) -> dict[str, Any]:
    from speed import looped

    video, made = looped(clip_path(), SECONDS, folder), folder / "made.mp4"
    return {"image": str(character_path()), "video": str(video), "output": str(made), "limits": False}


def instrument(clock: Clock) -> None:
    """Put the clock about the functions in which the time is spent."""
    names: dict[int, str] = {}
    load, run = network.Network.__init__, network.Network.run

    def loaded(self: network.Network, name: str, **options: Any) -> None:
        names[id(self)] = name
        with clock.part("loading"):
            load(self, name, **options)

    def ran(self: network.Network) -> Any:
        with clock.part(f"network {names[id(self)]}"):
            return run(self)

    network.Network.__init__ = loaded
    network.Network.run = ran
    road = sys.modules["understudy.animate"]
    clock.about_items(road, "read_frames", DECODING)
    for function in ("load_picture", "probe"):
        clock.about(road, function, READING)
    clock.about(Region, "crop", CROPS)
    clock.about_items(clip_tracking, "with_cuts", CUTS)
    for function in ("add", "affines"):
        clock.about(CameraMovement, function, CAMERA)
    clock.about(extremities, "find_irises", IRISES)
    for function in ("find_dissolves", "_blank_jumps", "_put_sides_back", "drop_glimpses", "smooth"):
        clock.about(clip_tracking, function, AFTER)
    follow, prepare, perform = (
        mediapipe_tracker.MediaPipeTracker.follow,
        puppet.PuppetEngine.prepare,
        puppet.PuppetEngine.perform,
    )

    def at(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def staged(*args: Any, **options: Any) -> Any:
            clock.stage = stage
            return work(*args, **options)

        return staged

    mediapipe_tracker.MediaPipeTracker.follow = at("tracking", follow)
    puppet.PuppetEngine.prepare = at("rig", prepare)
    puppet.PuppetEngine.perform = at("drawing", perform)
    clock.about_items(puppet, "_draw", DRAWING)
    clock.about_items(puppet.FaceRig, "drawn", FACE)
    clock.about(encode.VideoWriter, "write", WRITING)
    clock.about(encode.VideoWriter, "_yuv", COLOURS)


def parts(clock: Clock, ended_s: dict[str, float], decoding: float, result: Result) -> list[Row]:
    """The job's parts in order, each with its floor."""
    spent = clock.spent_s
    rows = [Row("start: Python and what is imported", IMPORTED_S)]
    tracked = {name: s for (stage, name), s in spent.items() if stage == "tracking"}
    begun_s = BEGUN_S + IMPORTED_S
    stage_s = {}
    for stage in ("tracking", "rig", "drawing", "end"):
        stage_s[stage] = ended_s[stage] - begun_s
        begun_s = ended_s[stage]
    decoded_s = sum(s for (_, name), s in spent.items() if name == DECODING)
    rows.append(Row("decoding, to RGB", decoded_s, decoding))
    networks = {name: s for name, s in tracked.items() if name.startswith("network ")}
    rows += [
        Row(f"tracking: {name}", s, s) for name, s in sorted(networks.items(), key=lambda item: -item[1])
    ]
    loading_s = sum(
        s for (stage, name), s in spent.items() if name == "loading" and stage in ("", "tracking")
    )
    rows.append(Row("tracking: loading the networks", loading_s))
    beside = {name: tracked.get(name, 0.0) for name in (CROPS, CUTS, CAMERA, IRISES)}
    reading_s, after_s = spent["", READING], tracked.get(AFTER, 0.0)
    named_s = decoded_s + sum(networks.values()) + loading_s + sum(beside.values()) + reading_s
    rows += [Row(f"tracking: {name}", s) for name, s in beside.items()]
    rows += [
        Row("tracking: where to look, what lies between", stage_s["tracking"] - named_s),
        Row(f"tracking: {AFTER}", after_s),
        Row(READING, reading_s),
    ]
    # The last frame is told as done before its motion is smoothed.
    stage_s["rig"] -= after_s
    rig = {name: s for (stage, name), s in spent.items() if stage == "rig"}
    rig_networks_s = sum(s for name, s in rig.items() if name.startswith("network "))
    rows.append(
        Row(
            "rig: finding, matte, cut, background (once a job)",
            stage_s["rig"],
            rig_networks_s + rig["loading"],
        )
    )
    drawn = {name: s for (stage, name), s in spent.items() if stage == "drawing"}
    rows += [
        Row("drawing: the face", drawn.get(FACE, 0.0)),
        Row("drawing: the rest", drawn[DRAWING], warp_s(result.width, result.height) * result.frames),
        Row("RGB to YUV", drawn[COLOURS], drawn[COLOURS]),
        Row("x264 and muxing", drawn[WRITING], drawn[WRITING]),
    ]
    named_s = sum(drawn.get(name, 0.0) for name in (FACE, DRAWING, COLOURS, WRITING))
    rows.append(Row("retargeting, expressions, order", stage_s["drawing"] - named_s))
    rows.append(Row("end: the last frames, sound, content credentials", stage_s["end"]))
    return rows


def decoding_s(video: str, frames: int) -> float:
    """Processor seconds of decoding as many frames and nothing else."""
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        begun = time.thread_time()
        for count, _ in enumerate(container.decode(stream), 1):
            if count == frames:
                break
        return time.thread_time() - begun


def warp_s(width: int, height: int) -> float:
    """Processor seconds of one warp of a whole frame with its coverage, into memory that is there already."""
    picture = np.full((height, width, 4), 128, np.uint8)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.25, np.arange(height, dtype=np.float32))
    first, second = cv2.convertMaps(x, y, cv2.CV_16SC2)
    made = np.empty_like(picture)
    spent = []
    for _ in range(9):
        begun = time.thread_time()
        cv2.remap(picture, first, second, cv2.INTER_LINEAR, dst=made)
        spent.append(time.thread_time() - begun)
    return sorted(spent)[4]


if __name__ == "__main__":
    main()
