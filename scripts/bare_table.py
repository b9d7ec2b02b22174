"""The table of the bare runs, as Markdown, from their logs: `bare_table.py LOG...`."""

from __future__ import annotations

import sys
from pathlib import Path

ROWS = {  # figure: what the table calls it
    "system": "system",
    "python": "Python",
    "cores": "cores",
    "setup_s": "`make setup`, s (of the processor)",
    "setup_again_s": "`make setup` again, s",
    "venv_mb": "`.venv` after it, MiB",
    "demo_s": "`make demo`, s (of the processor)",
    "video": "its video",
    "tests": "slice of the tests",
    "serve_s": "`understudy serve` answers after, s",
    "wheel_s": "the wheel: `pip install`, s (of the processor)",
    "wheel_empty_mb": "the empty environment, MiB",
    "wheel_mb": "with the wheel, MiB",
    "wheel_demo_s": "its `understudy demo`, s, models pulled",
    "wheel_used_mb": "after the demo (models, bytecode), MiB",
    "wheel_server_mb": "with `[server]`, MiB",
    "wheel_serve_s": "its `understudy serve` answers after, s",
    "whole_s": "everything, s",
}


def main() -> None:
    runs = {}
    for path in map(Path, sys.argv[1:]):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        verdicts = [line.removeprefix("verdict: ") for line in lines if line.startswith("verdict: ")]
        if verdicts:  # else it is the log of something else
            pairs = (line.split(" ", 2)[1:] for line in lines if line.startswith("figure: "))
            runs[path.stem] = {**{pair[0]: pair[-1] for pair in pairs}, "verdict": verdicts[0]}
    print(f"| | {' | '.join(runs)} |")
    print(f"|---|{'---|' * len(runs)}")
    for figure, name in {**ROWS, "verdict": "verdict"}.items():
        print(f"| {name} | {' | '.join(run.get(figure, '-') for run in runs.values())} |")


if __name__ == "__main__":
    main()
