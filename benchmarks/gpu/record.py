"""What was measured, row by row: on disk as soon as it is known, and as a table.

A row has way, size, run, steps and frames, which name it; then ``work_s`` and what belongs to it where it was measured,
else one of WORDS: what went wrong, why it was not begun, what ended it, or what it is at.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NAME = "measure.json"
NAMED_BY = ("way", "size", "run", "steps", "frames")
ERROR, SKIPPED, STOPPED, UNDER_WAY = WORDS = ("error", "skipped", "stopped", "under_way")

Row = dict[str, Any]

HEAD = (
    "| way | size | run | steps | s of work per s of video | peak GiB | stages, s |\n"
    "|---|---|---|---|---|---|---|"
)


class Record:
    """Goes on from the ``measure.json`` of ``folder``, where there is one; without a folder nothing is written.

    Raises ValueError where that file is of another machine or other versions.
    """

    def __init__(self, about: Row, folder: Path | None, *, again: bool = False) -> None:
        self.about, self.rows, self.products = about, list[Row](), list[Row]()
        self._path = folder / NAME if folder is not None else None
        self._again = again
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        if self._path is not None and self._path.exists():
            known = json.loads(self._path.read_text(encoding="utf-8"))
            if known["about"] != about:
                raise ValueError(f"{self._path} is of {known['about']}, not of {about}: name another --out")
            self.rows, self.products = known["rows"], known["products"]
            for row in self.rows:
                if UNDER_WAY in row:  # of a run that was killed
                    row[STOPPED] = "killed at: " + row.pop(UNDER_WAY)

    def has(self, named: Row) -> bool:
        """Whether it needs no measuring: it is there, or went wrong and is not to be tried again."""
        row = next((row for row in self.rows if _name(row) == _name(named)), None)
        return row is not None and ("work_s" in row or (ERROR in row and not self._again))

    def put(self, row: Row) -> None:
        """In the place of what was known of it."""
        names = [_name(known) for known in self.rows]
        if _name(row) in names:
            self.rows[names.index(_name(row))] = row
        else:
            self.rows.append(row)
        self.save()

    def put_products(self, products: list[Row]) -> None:
        self.products = products
        self.save()

    def save(self) -> None:
        """Whole or not at all: a kill in the middle leaves what was there."""
        if self._path is None:
            return
        text = json.dumps({"about": self.about, "products": self.products, "rows": self.rows}, indent=2)
        written = self._path.with_suffix(".part")
        written.write_text(text + "\n", encoding="utf-8")
        os.replace(written, self._path)

    def table(self) -> str:
        return "\n".join([HEAD, *map(line, self.rows)])


def line(row: Row) -> str:
    stages = ", ".join(f"{name} {value}" for name, value in row.get("stages_s", {}).items())
    word = next((f"{word.replace('_', ' ')}: {row[word]}" for word in WORDS if word in row), "")
    cells = (
        *(row[name] for name in ("way", "size", "run", "steps")),
        row.get("work_s_per_video_s", word),
        row.get("peak_gib", ""),
        stages,
    )
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def _name(row: Row) -> tuple[Any, ...]:
    return tuple(row[part] for part in NAMED_BY)
