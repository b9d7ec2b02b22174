"""Where one shot ends and the next begins: hard cuts while frames stream by, dissolves afterwards.

A hard cut is one frame step (or two, where a frame is a blend) whose difference stands far above those of the
steps about it; fast movement lifts its neighbours too. A dissolve is a stretch whose frames are blends of its two
ends in growing parts (the twin-comparison idea of Zhang, Kankanhalli and Smoliar, 1993, with the linear model of
a dissolve instead of histograms).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.thumbnail import Grey, small, tiny
from understudy.tracking.tracker import Frame

AHEAD = 3  # frames looked ahead and back; as many are held
SPIKE = 3.0  # a step over the largest of its neighbours. Real clips: moves up to 2.5, cuts from 3.8
SPIKE_LEAST = 4.0  # grey levels
DOUBLE = 4.0  # the same for a step with an equal one beside it. Real clips: moves up to 2.7, cuts from 6
DOUBLE_LEAST = 12.0
QUIET = 0.5  # grey levels: the least that neighbours count as, so that a still camera's noise is no cut
FLASH = 0.35  # of the step: what remains after a flash of light
HALF_WIDTHS_S = (0.12, 0.2, 0.33, 0.5)
BLEND_LEAST = 35.0  # grey levels (root mean square) between the ends of a dissolve
BLEND_REST = 0.08  # of the difference's energy that a blend may leave unexplained


def with_cuts(frames: Iterable[tuple[float, Frame]]) -> Iterator[tuple[float, Frame, Grey, Grey, bool]]:
    """The frames with their small and tiny grey copies (`thumbnail`) and whether a new shot begins there.

    Runs three frames ahead of what it gives out, and holds no more than those.
    """
    held: deque[tuple[float, Frame, Grey, Grey]] = deque()
    finder = CutFinder()
    given = 0
    for time_s, frame in frames:
        grey = small(frame)
        held.append((time_s, frame, grey, tiny(grey)))
        finder.add(held[-1][3])
        while finder.known > given:
            yield (*held.popleft(), finder.is_cut(given))
            given += 1
    finder.end()
    while held:
        yield (*held.popleft(), finder.is_cut(given))
        given += 1


class CutFinder:
    """Decides about each frame once three more have come. Frames are (64, 64) grey thumbnails."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, Floats]] = deque(maxlen=2 * AHEAD + 3)
        self._steps: list[float] = []  # difference of each frame to the one before
        self._ended = False

    @property
    def known(self) -> int:
        """How many frames, from the first, can be asked about."""
        return len(self._steps) if self._ended else max(0, len(self._steps) - AHEAD)

    def add(self, frame: Grey) -> None:
        now = frame.astype(np.float32)
        step = float(np.abs(now - self._frames[-1][1]).mean()) if self._frames else 0.0
        self._frames.append((len(self._steps), now))
        self._steps.append(step)

    def end(self) -> None:
        self._ended = True

    def is_cut(self, at: int) -> bool:
        """Whether a shot begins at frame ``at``; ask in order, not later than ``known`` allows."""
        if at == 0:
            return False
        step = self._steps[at]
        single = step >= SPIKE_LEAST and step > SPIKE * self._about(at, 0)
        double = step >= DOUBLE_LEAST and step > DOUBLE * self._about(at, 1)
        return (single or double) and not self._is_flash(at)

    def _about(self, at: int, skip: int) -> float:
        """The largest step within three of ``at``, without itself and ``skip`` on each side."""
        before = self._steps[max(1, at - skip - AHEAD) : max(1, at - skip)]
        after = self._steps[at + skip + 1 : at + AHEAD + 1]
        return max([QUIET, *before, *after])

    def _is_flash(self, at: int) -> bool:
        """Whether the picture comes back after this step, or came back with it."""
        kept = dict(self._frames)
        pairs = ((at - 1, at + 1), (at - 1, at + 2), (at - 2, at), (at - 3, at))
        return any(
            before in kept
            and after in kept
            and float(np.abs(kept[after] - kept[before]).mean()) < FLASH * self._steps[at]
            for before, after in pairs
        )


def find_dissolves(thumbnails: Grey, fps: float) -> tuple[tuple[int, int], ...]:
    """Stretches (first, last + 1) of a clip (T, 64, 64) in which one shot melts into the next.

    Only where the whole picture changes: a dissolve between two takes before the same background is left to the
    eye, since there a blend cannot be told from movement.
    """
    frames = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), -1)
    found: list[tuple[float, int, int]] = []
    for half in sorted({max(2, round(s * fps)) for s in HALF_WIDTHS_S}):
        for middle in range(half, len(frames) - half):
            rest = _blend_rest(frames, middle, half)
            if rest is not None:
                found.append((rest, middle - half, middle + half + 1))
    chosen: list[tuple[int, int]] = []
    for _, start, stop in sorted(found):
        if all(stop <= a or start >= b for a, b in chosen):
            chosen.append((start, stop))
    return tuple(sorted(chosen))


def _blend_rest(frames: Floats, middle: int, half: int) -> float | None:
    """What the blend of both ends leaves unexplained between them, or None where it is no dissolve."""
    first, last = frames[middle - half], frames[middle + half]
    across = last - first
    energy = float(across @ across)
    if energy < BLEND_LEAST**2 * across.size:
        return None
    worst, shares = 0.0, [0.0]
    for inside in (middle - half // 2, middle, middle + half // 2):
        part = frames[inside] - first
        share = float(part @ across) / energy
        rest = part - np.float32(share) * across
        worst = max(worst, float(rest @ rest) / energy)
        if worst > BLEND_REST:
            return None
        shares.append(share)
    steps = np.diff([*shares, 1.0])
    # A hard cut is explained too, by shares of 0 and 1: in a dissolve each quarter brings its part.
    return worst if steps.min() > 0.08 else None
