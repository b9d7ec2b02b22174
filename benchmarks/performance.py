"""The tables of docs/performance.md, one command.

    python benchmarks/performance.py                                     all but what needs something beside the project
    python benchmarks/performance.py --before OTHER/src --before-python P  against another version, in turns
    python benchmarks/performance.py --peer-python P --peer-checkout C   against Animated Drawings, in the same run
    python benchmarks/performance.py --only memory threads

Whole processes are measured, start-up included, the sample looped to ten seconds of 720p at 30 frames a second; the
tables show medians. The peer is a checkout of github.com/facebookresearch/AnimatedDrawings and a Python that has what
it needs (NumPy below 2, SciPy, scikit-image, shapely, PyOpenGL, glfw, an OpenCV and the system's OSMesa). It only
draws: its rig, its motion and its masks are made before.
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
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from speed import LENGTHS_S, Run, by_length, looped, measured
from understudy.sample import character_path, clip_path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 10.0
PEER = Path(__file__).with_name("peer.py")
START_RUNS = 9


@dataclass(frozen=True)
class Setting:
    image: Path
    clip: Path
    video: Path  # the clip, looped
    out: Path
    runs: int
    before: Path | None
    before_python: Path
    peer_python: Path | None
    peer_checkout: Path | None

    def request(self, **more: object) -> dict[str, object]:
        output = str(self.out / "made.mp4")
        return {"image": str(self.image), "video": str(self.video), "output": output, "limits": False, **more}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, default=character_path())
    parser.add_argument("--video", type=Path, default=clip_path())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--before", type=Path, help="the src folder of another version")
    parser.add_argument("--before-python", type=Path, default=Path(sys.executable), help="with its packages")
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--peer-checkout", type=Path)
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "performance")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        chosen.image,
        chosen.video,
        looped(chosen.video, SECONDS, chosen.out),
        chosen.out,
        chosen.runs,
        chosen.before,
        chosen.before_python,
        chosen.peer_python,
        chosen.peer_checkout,
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in chosen.only:
        print(f"\n### {name}\n\n{TABLES[name](setting)}", flush=True)


def whole_job(setting: Setting) -> str:
    """Both modes, and the version before, in turns, so that a busy minute falls on all alike."""
    versions = {"now": (None, Path(sys.executable))}
    if setting.before is not None:
        versions = {"before": (setting.before, setting.before_python), **versions}
    cases = [(mode, version) for mode in ("std", "pro") for version in versions]
    runs: dict[tuple[str, str], list[Run]] = {case: [] for case in cases}
    for _ in range(setting.runs):
        for mode, version in cases:
            runs[mode, version].append(measured(setting.request(mode=mode), *versions[version]))
    lines = ["| mode | version | whole, s | s per s of video | processor, s | peak, MB | stages, s |"]
    lines.append("|---|---|---|---|---|---|---|")
    for (mode, version), made in runs.items():
        whole = _median(made, lambda run: run.whole_s)
        stages = ", ".join(
            f"{name} {statistics.median(run.stages_s[name] for run in made):.1f}" for name in made[0].stages_s
        )
        cells = (
            mode,
            version,
            f"{whole:.1f}",
            f"{whole / made[0].video_s:.2f}",
            f"{_median(made, lambda run: run.cpu_s):.1f}",
            f"{_median(made, lambda run: run.peak_mb):.0f}",
            stages,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def stages(setting: Setting) -> str:
    """Where the milliseconds go, from a process of its own."""
    return _child("stages.py", json.dumps(setting.request(threads=1)))


def start(setting: Setting) -> str:
    """Seconds until a command's help is there, and until a job could begin."""
    cases = {
        "`understudy --help`": ["-m", "understudy", "--help"],
        "`import understudy`": ["-c", "import understudy"],
        "all that a job imports": ["-c", "import understudy.animate, understudy.engines.puppet.engine"],
        "Python alone": ["-c", "pass"],
    }
    lines = ["| start | s | processor, s |", "|---|---|---|"]
    for name, arguments in cases.items():
        spent = [_timed([sys.executable, *arguments]) for _ in range(START_RUNS)]
        whole, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
        lines.append(f"| {name} | {whole:.2f} | {cpu:.2f} |")
    return "\n".join(lines)


def memory(setting: Setting) -> str:
    clips = [looped(setting.clip, length, setting.out) for length in LENGTHS_S]
    return by_length([measured(setting.request(video=str(clip))) for clip in clips])


def threads(setting: Setting) -> str:
    """One process with more threads, and more processes at once with one thread each."""
    cores = os.cpu_count() or 1
    lines = ["| processes | threads each | all done after, s | s per s of video made |", "|---|---|---|---|"]
    cases = [(1, 1), (1, 2), (1, 4), (cores, 1), (2 * cores, 1), (cores, cores)]
    for processes, each in dict.fromkeys(cases):
        requests = [
            setting.request(threads=each, output=str(setting.out / f"made-{number}.mp4"))
            for number in range(processes)
        ]
        begun = time.perf_counter()
        with ThreadPoolExecutor(processes) as pool:
            runs = list(pool.map(measured, requests))
        whole = time.perf_counter() - begun
        made_s = sum(run.video_s for run in runs)
        lines.append(f"| {processes} | {each} | {whole:.1f} | {whole / made_s:.2f} |")
    return "\n".join(lines)


def peer(setting: Setting) -> str:
    """Animated Drawings draws its own example; beside it, in turns, this project's whole job."""
    if setting.peer_python is None or setting.peer_checkout is None:
        return "Not measured: give --peer-python and --peer-checkout."
    drawn, own = [], []
    for _ in range(setting.runs):
        told = subprocess.run(
            [setting.peer_python, PEER, setting.peer_checkout.resolve(), setting.out.resolve()],
            capture_output=True,
            text=True,
            check=True,
        )
        drawn.append(json.loads(told.stdout.strip().splitlines()[-1]))
        own.append(measured(setting.request()))
    rate = statistics.median(each["frames"] / each["drawing_s"] for each in drawn)
    whole = statistics.median(each["frames"] / each["whole_s"] for each in drawn)
    drawing = _median(own, lambda run: run.frames / run.stages_s["drawing"])
    everything = _median(own, lambda run: run.frames / run.whole_s)
    return "\n".join(
        [
            "| frames a second | drawing and encoding | whole process |",
            "|---|---|---|",
            f"| Animated Drawings, 1280 x 720, rig and motion given | {rate:.1f} | {whole:.1f} |",
            f"| Understudy, {own[0].width} x {own[0].height}, tracking and rig included in the whole "
            f"| {drawing:.1f} | {everything:.1f} |",
        ]
    )


def _median(runs: list[Run], of: Callable[[Run], float]) -> float:
    return statistics.median(of(run) for run in runs)


def _child(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout.strip()


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds and processor seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    whole = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return whole, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


TABLES: dict[str, Callable[[Setting], str]] = {
    "whole job": whole_job,
    "stages": stages,
    "start": start,
    "memory": memory,
    "threads": threads,
    "peer": peer,
}


if __name__ == "__main__":
    main()
