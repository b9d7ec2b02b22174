"""How long a row will take, from counted operations and the rate of the rows before it, and whether time is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Counted:
    """TFLOP of a segment: encoding and decoding, the driving pass, one step."""

    around: float
    driving: float
    step: float

    def segments(self, number: int, steps: int) -> float:
        return number * (self.around + self.driving + steps * self.step)


# By count.py. Of the tiny size only the relation to itself matters.
COUNTED = {
    "640x800": Counted(421 + 353, 2479, 2738),
    "720x1280": Counted(763 + 639, 6541, 7308),
    "tiny": Counted(1, 1, 1),
}


class Budget:
    """Minutes from now on."""

    def __init__(self, minutes: float) -> None:
        self._begun = time.monotonic()
        self._whole_s = minutes * 60

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._begun

    @property
    def left_s(self) -> float:
        return self._whole_s - self.spent_s

    def clock(self) -> str:
        return f"{_clock(self.spent_s)} of {_clock(self._whole_s)}"

    def lacking(self, estimate_s: float | None) -> str:
        """Why what is estimated so is not begun; empty where it is. Nothing is known before the first row."""
        left_s = max(self.left_s, 0.0)
        if left_s and (estimate_s is None or estimate_s <= left_s):
            return ""
        needed = "a row" if estimate_s is None else f"about {estimate_s:.0f} s"
        return f"{needed} would not fit into the {left_s:.0f} s that are left"


def estimate_s(tflop: float, rows: Sequence[dict[str, Any]], way: str) -> float | None:
    """Seconds at the rate of the last row of the same way, else of the last one; none where nothing was measured."""
    measured = [row for row in rows if "work_s" in row]
    alike = [row for row in measured if row["way"] == way] or measured
    if not alike:
        return None
    row = alike[-1]
    done = COUNTED[row["size"]].segments(row["segments"], row["steps"])
    return float(tflop * row["work_s"] / done)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
