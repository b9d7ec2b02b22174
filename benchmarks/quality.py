"""Figures, contact sheets and crop sheets of the catalogue's pairs.

    python benchmarks/quality.py                         all pairs, into out/quality
    python benchmarks/quality.py S3 C1 --no-rest         some pairs, without the second render of a still clip

Each output is made by ``understudy.animate`` in a process of its own, so that its time counts from the start of
Python and its peak of memory is its own. ``figures.json``, ``figures.md`` and, for each pair, a contact sheet and a
folder of crop sheets (face and hands at full size) come out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    if sys.argv[1:2] == ["--make"]:
        make(*sys.argv[2:6])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="names of pairs; none means all")
    parser.add_argument("--pairs", type=Path, default=ROOT / "benchmarks" / "pairs.json")
    parser.add_argument(
        "--media",
        type=Path,
        default=Path(os.environ.get("UNDERSTUDY_MEDIA") or ROOT.parent / "shared" / "media"),
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "quality")
    parser.add_argument("--no-rest", action="store_true", help="leave out rest_psnr and rest_face_psnr")
    chosen = parser.parse_args()

    from understudy.evaluation.command import evaluate_pairs

    def progress(stage: str, done: int, total: int) -> None:
        print(f"{stage} {done}/{total}", file=sys.stderr, flush=True)

    text = evaluate_pairs(
        chosen.pairs,
        chosen.media,
        chosen.out,
        only=frozenset(chosen.names) or None,
        rest=not chosen.no_rest,
        animate=in_own_process,
        progress=progress,
    )
    print(text)


def in_own_process(image: Path, video: Path, output: Path, orientation: str) -> object:
    """An `Animate` of `understudy.evaluation.pairs`."""
    from understudy.errors import EngineError
    from understudy.evaluation.pairs import Rendered

    begun = time.perf_counter()
    command = [sys.executable, __file__, "--make", str(image), str(video), str(output), str(orientation)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    work_s = time.perf_counter() - begun
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        told = (lines or done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EngineError("benchmark_failed", f"No video was made: {told}", fix="Run the pair alone.")
    told = json.loads(lines[-1])
    return Rendered(driving_start_s=told["driving_start_s"], work_s=work_s, notes=tuple(told["notes"]))


def make(image: str, video: str, output: str, orientation: str) -> None:
    """The child: animate, then one line of JSON."""
    from understudy.animate import animate
    from understudy.errors import UnderstudyError

    try:
        result = animate(image, video, output=output, orientation=orientation)
    except UnderstudyError as error:
        print(error)
        sys.exit(1)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss, in MB
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    notes = [f"{left.what}: {left.detail}" for left in result.left_out]
    notes.append(f"character found by {result.character_found_by}")
    notes.append("seconds " + ", ".join(f"{stage} {spent:.1f}" for stage, spent in result.timings_s.items()))
    notes.append(f"peak memory {peak_mb:.0f} MB")
    print(json.dumps({"driving_start_s": result.driving_start_s, "notes": notes}))


if __name__ == "__main__":
    main()
