"""What a child answers, believed only after a look: a file that it opened may have made it say anything."""

from __future__ import annotations

import json
import math
import re
import signal
import stat
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from understudy import errors
from understudy.errors import UnderstudyError
from understudy.request import LeftOut
from understudy.tasks.sandbox import MOST_FILE_BYTES

MOST_LINES = 200_000
MOST_TEXT = 2000
MOST_SEGMENTS = 1000


class ChildDied(Exception):  # noqa: N818 - an end, not a mistake
    """The child ended without an answer, or answered what no child of ours does. ``reason`` says how, in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def messages_of(process: Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    for _ in range(MOST_LINES):
        try:
            line = await process.stdout.readline()
        except ValueError:
            raise ChildDied("a line of its answer is too long") from None
        if not line:
            return
        try:
            message = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise ChildDied("its answer is no JSON") from None
        if not isinstance(message, dict):
            raise ChildDied("its answer is no object")
        yield message
    raise ChildDied("it talks without end")


def check_file(path: Path) -> None:
    """Nothing but a file of the child's own making: no link, no pipe, nothing endless."""
    try:
        found = path.lstat()
    except OSError:
        raise ChildDied("its result is not there") from None
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ChildDied("its result is no file of its own")
    if not 0 < found.st_size <= MOST_FILE_BYTES:
        raise ChildDied("its result is empty or too large")


def how_it_ended(code: int | None) -> str:
    if code is None:
        return "it closed its pipe and went on"
    if code >= 0:
        return f"it ended without an answer, exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "it was killed (SIGKILL), as a system does that runs out of memory"
    return f"it was ended by {name}"


def progress_of(content: object) -> tuple[str, int, int]:
    match content:
        case [str(stage), int(done), int(total)] if 0 <= done <= 10**9 and 0 <= total <= 10**9:
            return stage[:32], done, total
    raise ChildDied("its progress is none")


def segments_of(content: object) -> int:
    match content:
        case {"segments": int(count), **rest} if not rest and 1 <= count <= MOST_SEGMENTS:
            return count
    raise ChildDied("what it wants is none")


def error_of(content: object) -> UnderstudyError | ChildDied:
    if not isinstance(content, dict):
        return ChildDied("its error is none")
    kind = getattr(errors, str(content.get("kind")), None)
    code = content.get("code")
    if not (isinstance(kind, type) and issubclass(kind, UnderstudyError)):
        return ChildDied("its error is of no kind")
    if not (isinstance(code, str) and re.fullmatch(r"[a-z0-9_]{1,64}", code)):
        return ChildDied("its error has no code")
    value, limit = (content.get(name) for name in ("value", "limit"))
    return kind(
        code,
        text_of(content.get("message")),
        value=None if value is None else text_of(value),
        limit=None if limit is None else text_of(limit),
        fix=text_of(content.get("fix")),
    )


def left_out_of(content: object) -> tuple[LeftOut, ...]:
    if not isinstance(content, list) or len(content) > 100:
        raise ChildDied("what it left out is no list")
    told = []
    for each in content:
        match each:
            case [str(what), str(detail)]:
                told.append(LeftOut(text_of(what), text_of(detail)))
            case _:
                raise ChildDied("what it left out is no pair")
    return tuple(told)


def timings_of(content: object) -> dict[str, float]:
    if not isinstance(content, dict) or len(content) > 20:
        raise ChildDied("its timings are none")
    return {text_of(name): number_in(content, name, 0, 1e6) for name in content}


def number_in(content: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = content.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ChildDied("a figure of its result is none")
    if not least <= value <= most:
        raise ChildDied("a figure of its result cannot be")
    return float(value)


def text_of(content: object) -> str:
    """Printable, and not without end."""
    if not isinstance(content, str):
        raise ChildDied("a text of its answer is none")
    return "".join(char if char.isprintable() else " " for char in content[:MOST_TEXT])


def _no_number(name: str) -> float:
    raise ValueError(name)
