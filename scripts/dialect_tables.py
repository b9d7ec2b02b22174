"""The tables of docs/dialects.md, from the code: how each protocol tells each error, and answers the same requests.

python scripts/dialect_tables.py            writes them into the page
python scripts/dialect_tables.py --check    exit code 1 where the page is not what the code says
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from understudy.errors import SERVICE_CODES, FormError, TaskError, UnderstudyError
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Dialect
from understudy.server.dialects.endpoint import Create
from understudy.server.dialects.registry import DIALECTS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dialects.md"
BEGIN, END = "<!-- {}: written by scripts/dialect_tables.py -->", "<!-- end of {} -->"
WIDEST = 260  # characters of an answer that a table shows

sys.path[:0] = [str(ROOT / "tests" / "service"), str(ROOT / "tests" / "unit")]


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = filled(page)
    if "--check" in sys.argv[1:]:
        sys.exit(made != page)
    PAGE.write_text(made, encoding="utf-8")


def filled(page: str) -> str:
    """The page with its tables as the code has them now."""
    for name, table in (("errors", errors()), ("requests", requests())):
        before, begin, rest = page.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        page = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return page


def errors() -> str:
    """HTTP status, and the protocol's own code where it has one, of each code of ours."""
    rows = []
    for code in sorted(SERVICE_CODES):
        told = [
            dialect.encode_error(UnderstudyError(code, "It.", fix="So."), "id")
            for dialect in DIALECTS.values()
        ]
        rows.append([f"`{code}`", *map(_status, told)])
    return _table(["our code", *(f"`{name}`" for name in DIALECTS)], rows)


def requests() -> str:
    """What each protocol says to a good request, to an orientation that is none, and to a task that nobody knows."""
    from kling_examples import LINKS, SUBMITTED
    from speakers import SPEAKERS

    unknown = TaskError("task_unknown", "There is no such task.", fix="Check the id.")
    task = replace(SUBMITTED, external_task_id=None)
    told: dict[str, list[list[str]]] = {"good": [], "wrong": [], "unknown": []}
    for name, dialect in DIALECTS.items():
        if name == "native":
            continue  # its own page tells it
        speaker = SPEAKERS[name]
        verb, path = _create(dialect, speaker.path)
        good = Answer(200, verb.answer(task, View(LINKS, "id", wait_s=60.0)))
        field, *inner = speaker.orientation
        wrong = {
            **speaker.body,
            field: {**speaker.body[field], inner[0]: "sideways"} if inner else "sideways",
        }
        answers = (good, _refused(dialect, verb, path, wrong), dialect.encode_error(unknown, "id"))
        for rows, answer in zip(told.values(), answers, strict=True):
            rows.append([f"`{name}`", str(answer.status), _shown(answer)])
    titles = (
        "A picture, a video and an orientation",
        "The orientation `sideways`",
        "A task that is not there",
    )
    tables = (
        _table([title, "HTTP", "answer"], rows) for title, rows in zip(titles, told.values(), strict=True)
    )
    return "\n\n".join(tables)


def _create(dialect: Dialect, path: str) -> tuple[Create, str]:
    return next(
        (one.verb, one.path)
        for one in dialect.endpoints()
        if isinstance(one.verb, Create) and path.endswith(one.path)
    )


def _refused(dialect: Dialect, verb: Create, path: str, body: dict[str, Any]) -> Answer:
    try:
        verb.decode(Call(endpoint=path, content=json.dumps(body).encode()), "puppet")
    except FormError as error:
        return dialect.encode_error(error, "id")
    raise AssertionError(f"{dialect.name} takes {body}")


def _status(answer: Answer) -> str:
    body = answer.body if isinstance(answer.body, dict) else {}
    inner = body.get("error")
    word = body.get("code", inner.get("code") if isinstance(inner, dict) else None)
    return str(answer.status) if word is None else f"{answer.status} `{word}`"


def _shown(answer: Answer) -> str:
    text = json.dumps(answer.body, ensure_ascii=False)
    text = text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
    return f"`{text.replace('|', '/').replace('`', chr(39))}`"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
