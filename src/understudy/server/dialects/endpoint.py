"""What can be asked of the service in a dialect: each endpoint is a method, a path and one of five verbs.

A verb holds the dialect's pure functions; what lies between them (who asks, the database, the files) is the same for
all and ``mounting.py``'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Decoded
from understudy.server.dialects.notes import Note
from understudy.tasks.task import Task

if TYPE_CHECKING:
    from starlette.requests import Request

    from understudy.server.service import Service
    from understudy.tasks.accounts import Account


@dataclass(frozen=True)
class Create:
    """Make a task. ``decode`` reads the request for an engine; it raises FormError with a code of ``FORM_CODES``."""

    decode: Callable[[Call, str], Decoded]
    answer: Callable[[Task, View], Any]
    estimated: bool = False  # whether its answer tells ``View.wait_s``


@dataclass(frozen=True)
class Query:
    """Look at one task. ``name`` is its id in decimal or its external id, out of the dialect's own form."""

    name: Callable[[Call], str]
    answer: Callable[[Task, View], Any]
    estimated: bool = False


@dataclass(frozen=True)
class Page:
    """Look at a page of the account's tasks: number from 1, size, and what of the request nobody acts on."""

    read: Callable[[Call], tuple[int, int, tuple[Note, ...]]]
    answer: Callable[[Sequence[Task], View], Any]


@dataclass(frozen=True)
class Ask:
    """Anything else that an account may ask: ``handle`` does it with the service's own parts."""

    handle: Callable[[Call, Account, View, Service], Awaitable[Answer]]


@dataclass(frozen=True)
class Receive:
    """Take a body that is read piece by piece, such as a form with a large file: the call has no content."""

    handle: Callable[[Request, Call, Account, View, Service], Awaitable[Answer]]


Verb = Create | Query | Page | Ask | Receive


@dataclass(frozen=True)
class Endpoint:
    """One method at one path. ``path`` is Starlette's: ``{name}`` is one part, ``{name:digits}`` one of digits,
    ``{name:rest}`` whatever follows."""

    method: str
    path: str
    verb: Verb
