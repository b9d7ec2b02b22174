"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SET_UP = "Run `make setup`, or install the package again."


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and, unless all is well, what to do."""

    name: str
    found: str
    fix: str | None = None

    @property
    def good(self) -> bool:
        return self.fix is None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "good": self.good}
