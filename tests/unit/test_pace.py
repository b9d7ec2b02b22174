"""Share done and time left, from made-up stages whose real course is known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from understudy.tasks import pace
from understudy.tasks.pace import Forecast, Pace

Course = list[tuple[str, float, int]]  # stage, its seconds, its total
PUPPET: Course = [("read", 0.5, 0), ("tracking", 7.0, 180), ("rig", 0.2, 4), ("drawing", 3.2, 180)]


def played(course: Course, *, pro: bool = False) -> Iterator[tuple[float, Forecast]]:
    """Seconds since the begin, and the forecast then, twice a second."""
    told = Pace(pace.ALL, pro=pro, now_s=100.0)
    now_s, next_s = 100.0, 100.0
    for stage, length_s, total in course:
        begin_s = now_s
        for step in range(1001):
            now_s = begin_s + length_s * step / 1000
            if total:
                told.tell(stage, step * total // 1000, total, now_s)
            while now_s >= next_s:
                yield next_s - 100.0, told.forecast(next_s)
                next_s += 0.5


@pytest.mark.parametrize("speed", [0.6, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("pro", [False, True])
def test_shares_rise_and_times_fit(speed: float, pro: bool) -> None:
    course = [
        (stage, seconds * speed * (pace.PRO[stage] if pro else 1), total) for stage, seconds, total in PUPPET
    ]
    whole_s = sum(seconds for _, seconds, _ in course)
    told = list(played(course, pro=pro))
    shares = [each.share for _, each in told]
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert 0.9 < shares[-1] <= 0.99
    stages = list(dict.fromkeys(each.stage for _, each in told))
    assert stages == [stage for stage in pace.ALL if stage in stages]  # a rig made long ago is not seen
    assert {"tracking", "drawing"} <= set(stages)
    for at_s, each in told:
        if at_s > whole_s / 3:
            assert each.left_s is not None
            assert abs(each.left_s - (whole_s - at_s)) < 0.3 * whole_s
            assert abs(each.share - at_s / whole_s) < 0.3


def test_nothing_is_said_before_anything_is_known() -> None:
    first = next(played(PUPPET))[1]
    assert (first.stage, first.share, first.left_s) == ("read", 0, None)


def test_the_time_left_seldom_grows() -> None:
    left = [each.left_s for _, each in played(PUPPET) if each.left_s is not None]
    grown = sum(later > earlier for earlier, later in pairwise(left))
    assert grown <= len(left) / 10


def test_an_engine_that_is_far_slower_than_usual_is_believed() -> None:
    slow: Course = [("read", 0.5, 0), ("tracking", 7.0, 180), ("rig", 0.2, 4), ("drawing", 400.0, 180)]
    told = dict(played(slow))
    assert told[200.0].left_s == pytest.approx(207.7, rel=0.1)


def test_stages_that_are_not_known_and_totals_of_none_are_passed_over() -> None:
    told = Pace(pace.UNFOLLOWED, pro=False, now_s=0.0)
    told.tell("models", 3, 4, 1.0)
    told.tell("drawing", 0, 0, 1.0)
    told.tell("drawing", 500, 100, 2.0)
    seen = told.forecast(2.0)
    assert seen.stage == "drawing"
    assert seen.share == 0.99
    assert seen.left_s == 0


def test_a_gpus_denoising_counts_by_its_own_steps() -> None:
    told = Pace(pace.stages_of("wan-animate"), pro=False, now_s=0.0)
    told.tell("tracking", 180, 180, 4.0)
    told.tell("clip", 144, 144, 5.0)
    told.tell("denoising", 0, 20, 5.0)
    for step in range(1, 11):
        told.tell("denoising", step, 20, 5.0 + step * 3)
    seen = told.forecast(35.0)
    assert seen.left_s == pytest.approx(30.0)
    assert seen.share == pytest.approx(35 / 65, abs=0.01)


def test_denoising_that_goes_on_in_its_middle_is_not_thought_fast() -> None:
    told = Pace(pace.stages_of("wan-animate"), pro=False, now_s=0.0)
    told.tell("denoising", 20, 40, 2.0)
    told.tell("denoising", 25, 40, 2.0 + 5 * 3)
    assert told.forecast(17.0).left_s == pytest.approx(45.0)


def test_how_long_a_model_loads_says_nothing_of_its_steps() -> None:
    left = []
    for loading_s in (0.0, 300.0):
        told = Pace(pace.stages_of("wan-animate"), pro=False, now_s=0.0)
        told.tell("tracking", 180, 180, 4.0)
        told.tell("loading", 0, 1, 5.0)
        told.tell("denoising", 0, 20, 5.0 + loading_s)
        left.append(told.forecast(5.0 + loading_s).left_s)
    assert left[0] == left[1]


def test_waiting_for_a_gpu_is_no_work() -> None:
    waited, told = (Pace(pace.stages_of("wan-animate"), pro=False, now_s=0.0) for _ in range(2))
    for each in (waited, told):
        each.tell("tracking", 180, 180, 4.0)
        each.tell("clip", 144, 144, 5.0)
    before = told.forecast(5.0)
    waited.wait(lambda: 60.0, 5.0)
    for now_s in (5.0, 50.0, 1000.0):
        seen = waited.forecast(now_s)
        assert seen == Forecast("waiting", before.share, seen.left_s)
        assert before.left_s is not None
        assert seen.left_s == pytest.approx(before.left_s + 60)
    waited.go_on(1005.0)
    for pace_of, begun_s in ((waited, 1005.0), (told, 5.0)):
        for step in range(11):
            pace_of.tell("denoising", step, 20, begun_s + step * 3)
    assert waited.forecast(1035.0) == told.forecast(35.0)


def test_nobody_knows_how_long_a_wait_is_before_its_end_is_near() -> None:
    told = Pace(pace.stages_of("wan-animate"), pro=False, now_s=0.0)
    told.tell("clip", 144, 144, 5.0)
    told.wait(lambda: None, 5.0)
    assert told.forecast(6.0).left_s is None


def test_stages_are_those_of_the_engine() -> None:
    assert pace.stages_of("puppet") == pace.ALL
    assert pace.stages_of("fake") == pace.UNFOLLOWED
    assert pace.stages_of("not known") == pace.ALL
    assert "denoising" in pace.stages_of("wan-animate")
