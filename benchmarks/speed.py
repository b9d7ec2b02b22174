"""Time per stage and peak memory of whole processes.

    python benchmarks/speed.py                                    the sample, three runs
    python benchmarks/speed.py --image A.png --video B.mp4 --mode pro --runs 5
    python benchmarks/speed.py --memory                           peak memory for 3, 10 and 30 s of the same clip
    python benchmarks/speed.py --seconds 10                       the clip looped or cut to 10 s

Every run is a process of its own, so its time counts from the start of Python and its peak is its own. A table of
medians goes to the terminal, every run to ``OUT/speed.json``. Clips are made longer by repeating their packets,
without encoding them anew, so that what is decoded stays the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av

from understudy.sample import character_path, clip_path

ROOT = Path(__file__).resolve().parents[1]
LENGTHS_S = (3.0, 10.0, 30.0)
UNIT = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss, in MB


@dataclass(frozen=True)
class Run:
    """One process: seconds from its start to its end, megabytes at its peak."""

    video_s: float
    frames: int
    width: int
    height: int
    whole_s: float
    cpu_s: float
    peak_mb: float
    stages_s: dict[str, float]

    @property
    def outside_s(self) -> float:
        """What no stage counts: the start of Python, imports, the end."""
        return self.whole_s - sum(self.stages_s.values())


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, default=character_path())
    parser.add_argument("--video", type=Path, default=clip_path())
    parser.add_argument("--mode", choices=("std", "pro"), default="std")
    parser.add_argument("--orientation", choices=("video", "image"), default="video")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, help="loop or cut the clip to this length")
    parser.add_argument("--memory", action="store_true", help="3, 10 and 30 s of the clip, one run each")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "speed")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)

    lengths = LENGTHS_S if chosen.memory else (chosen.seconds,)
    runs = []
    for length in lengths:
        video = chosen.video if length is None else looped(chosen.video, length, chosen.out)
        for number in range(1 if chosen.memory else chosen.runs):
            run = measured(
                {
                    "image": str(chosen.image),
                    "video": str(video),
                    "output": str(chosen.out / "speed.mp4"),
                    "mode": chosen.mode,
                    "orientation": chosen.orientation,
                    "threads": chosen.threads,
                    "limits": False,
                }
            )
            runs.append(run)
            print(
                f"run {number + 1}: {run.video_s:.1f} s of video, {run.whole_s:.1f} s, {run.peak_mb:.0f} MB",
                file=sys.stderr,
            )
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    held = {"machine": machine, "runs": [asdict(run) for run in runs]}
    (chosen.out / "speed.json").write_text(json.dumps(held, indent=2), encoding="utf-8")
    print(f"{machine}; {runs[0].width} x {runs[0].height}\n")
    print(by_length(runs) if chosen.memory else by_stage(runs))


def measured(
    request: dict[str, object], source: Path | None = None, python: Path = Path(sys.executable)
) -> Run:
    """Animate in a process of its own, by ``python``, with the version whose package lies in ``source`` (None: the
    one installed there)."""
    other = {} if source is None else {"PYTHONPATH": str(source.resolve())}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(
        [python, __file__, "--child", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        # NumPy's threads as the command line has them; modules compiled once, as after anybody's first run.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "", **other},
    )
    whole_s = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.exit((lines or done.stderr.strip().splitlines() or ["The run failed without a word."])[-1])
    told = json.loads(lines[-1])
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(whole_s=whole_s, cpu_s=cpu_s, **told)


def child(request: dict[str, str]) -> None:
    """Animate, then one line of JSON. The peak is told here: for children the system keeps only the largest."""
    from understudy.animate import animate
    from understudy.errors import UnderstudyError

    try:
        result = animate(request.pop("image"), request.pop("video"), **request)
    except UnderstudyError as error:
        print(error)
        sys.exit(1)
    told = {
        "video_s": result.duration_s,
        "frames": result.frames,
        "width": result.width,
        "height": result.height,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT,
        "stages_s": result.timings_s,
    }
    print(json.dumps(told))


def by_stage(runs: list[Run]) -> str:
    """A Markdown table: seconds of each stage, per second of video, and the share."""
    whole = statistics.median(run.whole_s for run in runs)
    seconds = {name: statistics.median(run.stages_s[name] for run in runs) for name in runs[0].stages_s}
    seconds["start and end"] = statistics.median(run.outside_s for run in runs)
    seconds["whole process"] = whole
    lines = [f"| median of {len(runs)} | s | s per s of video | share |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {spent:.2f} | {spent / runs[0].video_s:.2f} | {spent / whole:.0%} |"
        for name, spent in seconds.items()
    ]
    cpu = statistics.median(run.cpu_s for run in runs)
    peak = statistics.median(run.peak_mb for run in runs)
    lines += [
        "",
        f"{runs[0].frames} frames, {runs[0].video_s:.2f} s of video; processor time {cpu:.1f} s; "
        f"peak memory {peak:.0f} MB",
    ]
    return "\n".join(lines)


def by_length(runs: list[Run]) -> str:
    """A Markdown table: peak memory against the clip's length."""
    lines = [
        "| video, s | frames | whole process, s | s per s of video | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for run in runs:
        cells = (
            f"{run.video_s:.1f}",
            f"{run.frames}",
            f"{run.whole_s:.1f}",
            f"{run.whole_s / run.video_s:.2f}",
            f"{run.peak_mb:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def looped(video: Path, seconds: float, folder: Path) -> Path:
    """The clip's video and sound packets over and over, cut at ``seconds``."""
    path = folder / f"{video.stem}-{seconds:g}s.mp4"
    with av.open(str(path), "w") as target:
        streams: dict[int, av.stream.Stream] = {}
        written: dict[int, int] = {}
        offset_s, end_s = Fraction(0), Fraction(0)
        while offset_s < seconds:
            with av.open(str(video)) as source:
                kept = [*source.streams.video[:1], *source.streams.audio[:1]]
                for stream in kept:
                    if stream.index not in streams:
                        streams[stream.index] = target.add_stream_from_template(stream)
                first: dict[int, int] = {}
                for packet in source.demux(kept):
                    if packet.dts is None or packet.pts is None:
                        continue
                    index, unit = packet.stream.index, packet.time_base
                    spent = packet.dts - first.setdefault(index, packet.dts)
                    if packet.stream.type == "video":
                        end_s = max(end_s, offset_s + (packet.pts + (packet.duration or 0)) * unit)
                    shift = round(offset_s / unit)
                    # Sound outlasts the pictures by part of a packet; decoding times have to rise.
                    if offset_s + spent * unit >= seconds or packet.dts + shift <= written.get(
                        index, -(2**62)
                    ):
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    written[index] = packet.dts
                    packet.stream = streams[index]
                    target.mux(packet)
            if end_s <= offset_s:
                sys.exit(f"{video.name} has no frames to repeat.")
            offset_s = end_s
    return path


if __name__ == "__main__":
    main()
