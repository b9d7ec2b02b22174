"""Which frames are stepped over, and what is put there: parts that move along known paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.tracking.steps import LONGEST, Moment, Steps, blocks, cubic
from understudy.tracking.tracker import Shown

FRAME = np.zeros((2, 2, 3), np.uint8)


def shown(count: int, fps: float, cuts: Sequence[int] = ()) -> list[Shown]:
    return [Shown(k / fps, FRAME, k in cuts) for k in range(count)]


@dataclass
class Point:
    """A part (`steps.Part`): one number that follows a path over time, or is lost where that is None."""

    path: Callable[[float], float | None]
    limit: float = 1.0
    between: list[float] = field(default_factory=list)

    def turn(self, before: float, now: float, after: float, first_s: float, second_s: float) -> float:
        return abs((after - now) / second_s - (now - before) / first_s) / self.limit

    def look(self, at: Moment[float], before: float | None, after: float | None) -> float | None:
        self.between.append(at.shown.time_s)
        return self.path(at.shown.time_s)

    def mixed(self, at: Moment[float], known: Sequence[float], weights: Sequence[float]) -> float:
        return float(np.dot(known, weights))


def followed(part: Point, frames: list[Shown]) -> list[Moment[float]]:
    """As a tracker follows a clip of one shot."""
    steps, moments = Steps(part), []
    for block in blocks(frames):
        new = [Moment[float](one) for one in block]
        stride = steps.stride(len(block))
        for place, moment in enumerate(new, start=1):
            if place % stride == 0 or place == len(new):
                moment.see(part.path(moment.shown.time_s))
        moments += steps.add(new)
    return moments + steps.end()


@pytest.mark.parametrize(
    ("fps", "longest"), [(8, 1), (15, 1), (23.976, 2), (25, 2), (30, 2), (50, 4), (60, 4), (120, 4)]
)
def test_blocks_last_a_twelfth_of_a_second_at_most(fps: float, longest: int) -> None:
    sizes = [len(block) for block in blocks(shown(40, fps))]
    assert sizes[0] == 1
    assert set(sizes[1:-1]) == {longest}
    assert sum(sizes) == 40


def test_no_block_lies_across_a_cut() -> None:
    for cut in range(1, 12):
        made = list(blocks(shown(12, 60, [cut])))
        assert [len(block) for block in made if block[0].is_cut] == [1]
        assert all(not one.is_cut for block in made for one in block[1:])
        assert [one for block in made for one in block] == shown(12, 60, [cut])


def test_uneven_times_make_blocks_of_their_own() -> None:
    times = [0, 0.03, 0.06, 0.3, 0.33, 0.36, 0.39, 0.8]
    made = blocks(Shown(t, FRAME, False) for t in times)
    assert [[one.time_s for one in block] for block in made] == [
        [0], [0.03, 0.06], [0.3], [0.33, 0.36], [0.39], [0.8]
    ]  # fmt: skip


@pytest.mark.parametrize(("fps", "share"), [(30, 0.55), (60, 0.35), (120, 0.3)])
def test_what_moves_evenly_is_stepped_over_and_lies_on_its_path(fps: float, share: float) -> None:
    moments = followed(Point(lambda t: 3 * t, 1.0), shown(200, fps))
    assert [m.shown.time_s for m in moments] == [k / fps for k in range(200)]
    assert np.mean([m.looked for m in moments]) <= share
    assert [m.found for m in moments] == pytest.approx([3 * m.shown.time_s for m in moments])


def test_what_bends_too_much_is_looked_at_in_every_frame() -> None:
    part = Point(lambda t: 5 * t**2, 0.01)
    assert all(m.looked for m in followed(part, shown(60, 30)))
    # In order: what moves fast is best looked for where it just was.
    assert not part.between


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("onset", [0.5, 0.52, 0.55, 0.58])
def test_an_onset_is_not_missed(fps: float, onset: float) -> None:
    def path(t: float) -> float:
        return 0.0 if t < onset else 40 * (t - onset)

    moments = followed(Point(path, 0.05), shown(round(fps), fps))
    off = [abs((m.found or 0.0) - path(m.shown.time_s)) for m in moments]
    assert max(off) < 0.05 * 2
    assert not all(m.looked for m in moments)


def test_a_bend_between_two_looks_costs_a_look_in_the_middle_first() -> None:
    part = Point(lambda t: 0.0 if t < 0.5 else (t - 0.5) ** 2 * 20, 0.1)
    moments = followed(part, shown(60, 60))
    assert part.between
    assert np.mean([m.looked for m in moments]) < 0.8
    worst = max(abs((m.found or 0.0) - (part.path(m.shown.time_s) or 0.0)) for m in moments)
    assert worst < 0.1


def test_what_is_stepped_over_bends_with_the_looks_on_either_side() -> None:
    moments = followed(Point(lambda t: 5 * t**2, 1.0), shown(60, 60))
    within = [m for m in moments[8:-8] if not m.looked]
    assert len(within) > 20
    assert [m.found for m in within] == pytest.approx([5 * m.shown.time_s**2 for m in within], rel=1e-9)


def test_where_a_movement_cannot_be_told_nothing_is_stepped_over() -> None:
    part = Point(lambda t: math.nan)
    assert all(m.looked for m in followed(part, shown(40, 60)))
    assert not part.between


def test_who_is_lost_is_looked_for_in_every_frame() -> None:
    def path(t: float) -> float | None:
        return None if 0.4 < t < 0.9 else 2 * t

    moments = followed(Point(path), shown(60, 30))
    assert [m.found is None for m in moments] == [path(m.shown.time_s) is None for m in moments]
    assert all(m.looked for m in moments if m.found is None)
    assert not all(m.looked for m in moments)


def test_the_ends_of_a_shot_are_looked_at() -> None:
    for count in range(1, 20):
        moments = followed(Point(lambda t: t), shown(count, 30))
        assert len(moments) == count
        assert moments[0].looked
        assert moments[-1].looked


def test_few_frames_are_held() -> None:
    part = Point(lambda t: t)
    steps = Steps(part)
    given = taken = 0
    for block in blocks(shown(100, 60)):
        new = [Moment[float](one) for one in block]
        new[-1].see(0.0)
        given += len(new)
        taken += len(steps.add(new))
        assert given - taken <= LONGEST


times = st.lists(st.floats(0.01, 1), min_size=1, max_size=3).map(
    lambda steps: [0.0, *np.cumsum(steps).tolist()]
)


@given(times, st.floats(0.01, 0.99), st.data())
def test_the_cubic_goes_through_its_knots_and_keeps_lines(
    knots: list[float], share: float, data: st.DataObject
) -> None:
    first, last = data.draw(st.sampled_from(list(pairwise(knots))))
    at = first + share * (last - first)
    weights = cubic(knots, at)
    assert sum(weights) == pytest.approx(1)
    assert np.dot(weights, knots) == pytest.approx(at)
    assert cubic(knots, first)[knots.index(first)] == pytest.approx(1)
    beside = [weight for time, weight in zip(knots, weights, strict=True) if time in (first, last)]
    assert min(beside) > 0


def test_the_cubic_bends_along_where_a_line_does_not() -> None:
    knots = [0.0, 1.0, 2.0, 3.0]
    values = np.square(knots)
    assert np.dot(cubic(knots, 1.5), values) == pytest.approx(1.5**2)
