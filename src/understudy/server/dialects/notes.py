"""What a request asked for and nobody acts on: told in a response header, never in a dialect's own fields.

The header is a list of RFC 9651: ``Understudy-Notes: left_out;name="prompt", unknown_key;name="cfg_scale"``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from understudy.tasks.task import Task

HEADER = "Understudy-Notes"

LEFT_OUT = "left_out"  # something of the input that the engine does not show; named as in ``LeftOut.what``
UNKNOWN_KEY = "unknown_key"  # of the request's body
UNKNOWN_PARAMETER = "unknown_parameter"  # of the request's address
FILES_DELETED = "files_deleted"  # the task's result is no longer there

_NAME_CHARACTERS = 64


@dataclass(frozen=True)
class Note:
    """``kind`` is one of the stable words above; ``name`` says what it is about and may come from a stranger."""

    kind: str
    name: str = ""


def notes_header(notes: Iterable[Note]) -> dict[str, str]:
    """The header that tells the notes, each once; no header where there are none."""
    items = dict.fromkeys(f"{n.kind};name={_quoted(n.name)}" if n.name else n.kind for n in notes)
    return {HEADER: ", ".join(items)} if items else {}


def told(task: Task) -> tuple[Note, ...]:
    """What of an ended task's input its video does not show, and whether its files are gone."""
    if task.output is None:
        return ()
    notes = [Note(LEFT_OUT, part.what) for part in task.output.left_out]
    return (*notes, *([Note(FILES_DELETED)] if task.files_deleted_at is not None else []))


def _quoted(name: str) -> str:
    printable = ascii(name[:_NAME_CHARACTERS])[1:-1]  # the standard's strings are printable ASCII
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
