"""The benchmark for a GPU does its work on any machine, with tiny weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu" / "measure.py"


def test_one_command_measures_each_plan(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), "--tiny", "--seconds", "0.2", "--steps", "2"),
            *(
                "--plans",
                "resident",
                "small-weights",
                "--no-diffusers",
                "--out",
                str(tmp_path),
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads((tmp_path / "measure.json").read_text())
    rows = measured["rows"]
    plans = ("resident", "small-weights", "resident, 8 bits")
    assert [(row["way"], row["run"]) for row in rows] == [
        (f"understudy, {plan}", run) for plan in plans for run in ("first", "warm")
    ]
    for row in rows:
        assert row["work_s"] > 0
        assert set(row["stages_s"]) == {"encoding", "driving pass", "denoising", "decoding"}
        assert f"| {row['way']} | tiny | {row['run']} |" in done.stdout
    errors = {row["way"]: row["error"] for row in measured["products"]}
    assert errors["16 bits"] < 1e-5
    assert errors["16 bits"] < errors["wide"] < errors["int8"] < errors["float8"] < 0.05
    assert errors["wide"] < errors["float8 weights without scales"]
    for row in measured["products"]:
        assert f"| {row['way']} | {row['ms']} |" in done.stdout
