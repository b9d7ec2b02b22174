"""The page on protocols says what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    script = ROOT / "scripts" / "dialect_tables.py"
    told = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 0, told.stderr or f"run: python {script.relative_to(ROOT)}"
