"""Whose turn it is to be called: so that a receiver that is slow or dead delays nobody else.

A host is called by a few deliveries at a time, an account holds a share of all places, and a host that answers nobody
is left alone, in pauses that grow, until one delivery's probe is answered.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

AT_ONCE = 8  # deliveries in flight to one host
ACCOUNT_AT_ONCE = 32  # in flight to all hosts of one account
WAITING = 16  # further ones that wait for a place at one host
WAIT_S = 2.0
UNPROVEN_WAIT_S = (
    0.2  # where the host has not answered yet: it may be dead, and who waits holds a place of the queue
)
BUSY_PAUSE_S = 1.0
# Those that were put off come back one after the other: coming faster than they can be put off again, they would keep
# the queue from ever reaching what was put in after them.
APART_S = 0.02
UNPROVEN_APART_S = 0.2

SILENT = 3  # tries in a row without an answer, after which a host is left alone
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
PROBE_S = 15.0  # how long a probe may take

MOST_HOSTS = 1000  # remembered before those that nobody called for long are forgotten
FORGOTTEN_S = 3600.0


@dataclass(frozen=True)
class Turn:
    """Leave to call a host, to be handed back by ``Receivers.leave``."""

    host: str
    account_id: int
    probe: bool


@dataclass(frozen=True)
class PutOff:
    """Ask again after so many seconds. ``silent``: the host answers nobody at the moment."""

    seconds: float
    silent: bool


@dataclass
class _Host:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    in_flight: int = 0
    waiting: int = 0
    proven: bool = False  # whether its last try was answered
    unanswered: int = 0  # tries since the last answer
    pause_s: float = 0.0
    closed_until: float = 0.0
    probing: bool = False
    last_back: float = 0.0  # when the last one that was put off comes back
    used: float = 0.0

    @property
    def silent(self) -> bool:
        return self.unanswered >= SILENT

    @property
    def idle(self) -> bool:
        return not (self.in_flight or self.waiting)


class Receivers:
    """All hosts that one process calls. ``clock`` tells seconds and stands in for the real one in tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._accounts: Counter[int] = Counter()

    async def enter(self, host: str, account_id: int) -> Turn | PutOff:
        """A turn, at once or within ``WAIT_S``, or none now."""
        state = self._state(host)
        if self._accounts[account_id] >= ACCOUNT_AT_ONCE:
            return self._put_off(state)
        held = False
        if not state.silent and state.places.locked():
            held = await self._waited(state)
            if not held:
                return self._put_off(state)
        probe = state.silent  # it may have fallen silent while this one waited
        if probe and (held or not self._may_probe(state)):
            if held:
                state.places.release()
            return self._put_off(state)
        if not held:
            await state.places.acquire()  # there is one: nobody else runs in between
        state.probing = state.probing or probe
        state.in_flight += 1
        self._accounts[account_id] += 1
        return Turn(host, account_id, probe)

    def leave(self, turn: Turn, answered: bool | None) -> None:
        """Hand the turn back. ``answered``: whether the host gave any answer; None where that was not found out."""
        state = self._hosts[turn.host]
        state.in_flight -= 1
        state.places.release()
        self._accounts[turn.account_id] -= 1
        if not self._accounts[turn.account_id]:
            del self._accounts[turn.account_id]
        if turn.probe:
            state.probing = False
        if answered is not None:
            state.proven = answered
        if answered:
            state.unanswered = 0
            state.pause_s = 0.0
        elif answered is False:
            state.unanswered += 1
            # Those that were in flight when the host fell silent say nothing new: only a probe lengthens the pause.
            if turn.probe or state.unanswered == SILENT:
                state.pause_s = min(max(state.pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
                state.closed_until = self._clock() + state.pause_s
        if state.idle and state.unanswered == 0:
            del self._hosts[turn.host]

    async def _waited(self, state: _Host) -> bool:
        """Whether a place became free in time, and is held now."""
        if state.waiting >= WAITING:
            return False
        state.waiting += 1
        try:
            async with asyncio.timeout(WAIT_S if state.proven else UNPROVEN_WAIT_S):
                await state.places.acquire()
        except TimeoutError:
            return False
        finally:
            state.waiting -= 1
        return True

    def _may_probe(self, state: _Host) -> bool:
        return not (state.probing or state.places.locked() or self._clock() < state.closed_until)

    def _put_off(self, state: _Host) -> PutOff:
        now = self._clock()
        pause_s = BUSY_PAUSE_S
        if state.silent:
            pause_s = max(state.closed_until - now, PROBE_S if state.probing else BUSY_PAUSE_S)
        apart_s = APART_S if state.proven else UNPROVEN_APART_S
        state.last_back = max(now + pause_s, state.last_back + apart_s)
        return PutOff(state.last_back - now, state.silent)

    def _state(self, host: str) -> _Host:
        now = self._clock()
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            for name, state in list(self._hosts.items()):
                if state.idle and state.used < now - FORGOTTEN_S:
                    del self._hosts[name]
        state = self._hosts.setdefault(host, _Host())
        state.used = now
        return state
