"""``benchmarks/faults.py`` in small: a service whose processes are killed at random loses and doubles nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAULTS = Path(__file__).parents[2] / "benchmarks" / "faults.py"


def test_nothing_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, FAULTS, "--tasks", "12", "--kills", "8", "--pause-s", "1.2", "--seed", "5"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    print(done.stdout)
    assert told["wrong"] == [], done.stdout + done.stderr
    assert sum(told["killed"].values()) == 8
    assert (told["ended"], told["lost"], told["ended_twice"], told["settled_twice"]) == (12, 0, 0, 0)
