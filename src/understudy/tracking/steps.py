"""Stepping over frames: where something moves evenly, what lies between two looks is told from them.

Frames come in blocks of at most a twelfth of a second. The last frame of a block is always looked at; those before it
only as far as the movement bends. How far a straight line between two looks is off grows with the change of velocity at
either end (for an even acceleration it is an eighth of the change times the time between). What is stepped over lies
on a cubic through the looks on both sides (Catmull and Rom 1974, for uneven times), which bends along.

A movement that goes and comes back within a block is not seen: that would be a tremor of more than six a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Generic, Protocol, TypeVar

import numpy as np

from understudy.tracking.body import Body
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Shown

BLOCK_S = 1 / 12  # in twice as long the error passes the tracker's own noise
LONGEST = 4  # frames of a block: twice as many are held
LATE_S = 0.002  # times in files are rounded
CALM = 0.5  # of the limit: so little must a movement bend before frames are stepped over for the first time

T = TypeVar("T")


@dataclass
class Moment(Generic[T]):
    """One thing in one frame: ``found`` is None where it is lost, ``looked`` tells whether it was looked for there.

    ``body`` is the body in this frame that it belongs to, where it is no body itself.
    """

    shown: Shown
    body: Body | None = None
    found: T | None = None
    looked: bool = False

    def see(self, found: T | None) -> None:
        self.found, self.looked = found, True


class Part(Protocol[T]):
    """What is stepped: the body, a hand, the face."""

    def turn(self, before: T, now: T, after: T, first_s: float, second_s: float) -> float:
        """The change of velocity from the first stretch of time to the second, over the limit of `Steps`, a second."""

    def look(self, at: Moment[T], before: T | None, after: T | None) -> T | None:
        """What is seen in a frame between two that were looked at."""

    def mixed(self, at: Moment[T], known: Sequence[T], weights: Sequence[float]) -> T | None:
        """The sum of ``known`` by their weights, which sum to 1; the two beside the moment have the positive ones."""


def blocks(frames: Iterable[Shown]) -> Iterator[list[Shown]]:
    """The frames in blocks, none across a cut; a shot's first frame is a block of its own."""
    block: list[Shown] = []
    last_s = -inf
    for shown in frames:
        full = len(block) == LONGEST or shown.time_s - last_s > BLOCK_S + LATE_S
        if block and (full or shown.is_cut or block[0].is_cut):
            yield block
            last_s = block[-1].time_s
            block = []
        block.append(shown)
    if block:
        yield block


class Steps(Generic[T]):
    """One part of a performer, block by block; a block is closed when the next one's last frame is known."""

    def __init__(self, part: Part[T]) -> None:
        self._part = part
        self.restart()

    def restart(self) -> None:
        self._ends: deque[Moment[T]] = deque(maxlen=3)
        self._open: list[Moment[T]] = []
        self._stepped = False

    def stride(self, length: int) -> int:
        """Every how many frames to look in a next block of ``length``, as far as is known now."""
        if len(self._ends) < 3:
            return 1
        before, now, after = self._ends
        off = self._off(before, now, after, after.shown.time_s - now.shown.time_s)
        limit = 1.0 if self._stepped else CALM
        stride = length
        # In half the time velocity changes by half as much, and a line is off by a quarter.
        while stride > 1 and off * (stride / length) ** 2 > limit:
            stride = (stride + 1) // 2
        return stride

    def add(self, block: list[Moment[T]]) -> list[Moment[T]]:
        """Take in a block whose last frame was looked at, and give the one before it, whole."""
        closed = self._closed(block[-1])
        self._ends.append(block[-1])
        self._open = block
        self._stepped = not all(moment.looked for moment in block)
        return closed

    def end(self) -> list[Moment[T]]:
        """The last block of a shot, whole."""
        closed = self._closed(None)
        self.restart()
        return closed

    def _closed(self, after: Moment[T] | None) -> list[Moment[T]]:
        block, self._open = self._open, []
        if all(moment.looked for moment in block):
            return block
        *_, before, start, _ = [None, None, *self._ends]
        line = [before, start, *block, after]
        knots = [
            k
            for k, moment in enumerate(line)
            if k < 2 or moment is None or moment.looked or k == len(line) - 1
        ]
        place = 1
        while place < len(knots) - 2:
            if not self._refined(line, knots, place):
                place += 1
        for k, moment in enumerate(line):
            if moment is not None and not moment.looked:
                self._fill(
                    moment, [line[n] for n in knots if n < k][-2:], [line[n] for n in knots if n > k][:2]
                )
        return block

    def _refined(self, line: list[Moment[T] | None], knots: list[int], place: int) -> bool:
        """Look between two looks where what lies between cannot be told from them; whether that was so."""
        first, last = knots[place], knots[place + 1]
        start, stop = line[first], line[last]
        if last - first < 2 or start is None or stop is None:
            return False
        apart_s = stop.shown.time_s - start.shown.time_s
        off = max(
            self._off(line[knots[place - 1]], start, stop, apart_s),
            self._off(start, stop, line[knots[place + 2]], apart_s),
        )
        if off <= 1.0:
            return False
        middle = (first + last) // 2
        moment = line[middle]
        assert moment is not None
        moment.see(self._part.look(moment, start.found, stop.found))
        knots.insert(place + 1, middle)
        return True

    def _off(
        self, before: Moment[T] | None, now: Moment[T], after: Moment[T] | None, apart_s: float
    ) -> float:
        """How far a straight line across ``apart_s`` may be off, over the limit; far where that cannot be told."""
        if before is None or after is None:
            return inf
        if before.found is None or now.found is None or after.found is None:
            return inf
        first_s = now.shown.time_s - before.shown.time_s
        second_s = after.shown.time_s - now.shown.time_s
        off = self._part.turn(before.found, now.found, after.found, first_s, second_s) * apart_s / 8
        return inf if isnan(off) else off

    def _fill(self, moment: Moment[T], before: list[Moment[T] | None], after: list[Moment[T] | None]) -> None:
        around = [m for m in (*before, *after) if m is not None and m.found is not None]
        start, stop = before[-1], after[0]
        if start is None or stop is None or start.found is None or stop.found is None:
            return
        weights = cubic([m.shown.time_s for m in around], moment.shown.time_s)
        moment.found = self._part.mixed(moment, [m.found for m in around if m.found is not None], weights)


def mixture(values: Sequence[Floats | np.float32], weights: Sequence[float]) -> Floats:
    """The weighted sum of arrays of one shape."""
    return np.asarray(np.tensordot(np.asarray(weights, np.float32), np.stack(values), 1), np.float32)


def cubic(times_s: Sequence[float], at_s: float) -> list[float]:
    """Weights of values known at two to four times for the cubic through the two beside ``at_s``.

    Its slopes there are those of parabolas through three neighbours, or of the line where there are but two.
    """
    after = next(k for k, time_s in enumerate(times_s) if time_s > at_s)
    start, stop = after - 1, after
    span = times_s[stop] - times_s[start]
    u = (at_s - times_s[start]) / span
    weights = [0.0] * len(times_s)
    weights[start] += 2 * u**3 - 3 * u**2 + 1
    weights[stop] += -2 * u**3 + 3 * u**2
    for knot, share in ((start, u**3 - 2 * u**2 + u), (stop, u**3 - u**2)):
        for k, weight in _slope(times_s, knot, start, stop):
            weights[k] += share * span * weight
    return weights


def _slope(times_s: Sequence[float], knot: int, start: int, stop: int) -> list[tuple[int, float]]:
    """The slope at a knot as a sum of values: which, and their weights."""
    if not 0 < knot < len(times_s) - 1:
        span = times_s[stop] - times_s[start]
        return [(start, -1 / span), (stop, 1 / span)]
    first, second = times_s[knot] - times_s[knot - 1], times_s[knot + 1] - times_s[knot]
    before = second / (first + second)
    return [
        (knot - 1, -before / first),
        (knot, before / first - (1 - before) / second),
        (knot + 1, (1 - before) / second),
    ]
