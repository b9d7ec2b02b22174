"""Plans for the GPU's memory, and the sizes that models draw at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engines.diffusion.plan import PLANS, plan_for, plans, tokens
from understudy.engines.diffusion.shunned import SHUNNED_S, Shunned
from understudy.engines.diffusion.size import AREAS, fit, native_size, scaled_up
from understudy.engines.diffusion.spec import WAN_ANIMATE_1, WAN_ANIMATE_2, ModelSpec
from understudy.errors import EngineError
from understudy.request import Mode


def test_tokens_of_the_models_own_size() -> None:
    assert tokens(WAN_ANIMATE_2, 640, 800) == 21 * 40 * 50


@pytest.mark.parametrize(
    ("free_gib", "named"),
    [
        (139, "resident"),
        (79, "encoders-aside"),
        (65, "small-cache"),
        (47, None),
        (31, "streamed"),
        (23, "streamed"),
    ],
)
def test_the_plan_by_card(free_gib: float, named: str | None) -> None:
    plan = plan_for(WAN_ANIMATE_2, 640, 800, free_gib=free_gib, host_gib=128)
    assert plan.needs_gib <= free_gib
    if named is not None:
        assert plan.name == named


def test_each_plan_needs_less_of_the_device_than_the_one_before() -> None:
    for spec in (WAN_ANIMATE_1, WAN_ANIMATE_2):
        needs = [plan.needs_gib for plan in plans(spec, 720, 1280)]
        assert needs == sorted(needs, reverse=True)
    assert tuple(plan.name for plan in plans(WAN_ANIMATE_2, 640, 800)) == PLANS


def test_too_small_a_card_is_told_with_both_figures() -> None:
    with pytest.raises(EngineError) as caught:
        plan_for(WAN_ANIMATE_2, 720, 1280, free_gib=7.5, host_gib=128)
    assert caught.value.code == "gpu_memory"
    assert "7.5 GiB free" in caught.value.message
    assert (caught.value.value, caught.value.limit) == ("7.5 GiB", "17.5 GiB")


def test_too_little_of_the_machines_own_memory_is_told_with_what_would_do() -> None:
    with pytest.raises(EngineError) as caught:
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=24, host_gib=32)
    assert (caught.value.value, caught.value.limit) == ("32.0 GiB", "100.8 GiB")
    with pytest.raises(EngineError) as caught:  # the plan that takes least of it, of those that fit the card
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=80, host_gib=8)
    assert (caught.value.value, caught.value.limit) == ("8.0 GiB", "15.8 GiB")
    assert "machine's memory" in caught.value.fix


def test_what_did_not_fit_the_card_is_not_told_as_what_would_do() -> None:
    with pytest.raises(EngineError) as caught:
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=139, host_gib=10, after="resident")
    assert (caught.value.value, caught.value.limit) == ("10.0 GiB", "15.8 GiB")


def test_what_is_loaded_needs_no_loading_where_its_weights_stay() -> None:
    whole = plans(WAN_ANIMATE_1, 640, 800)
    kept = plan_for(WAN_ANIMATE_1, 640, 800, free_gib=139, host_gib=5, loaded=whole[0])
    assert kept.name == "resident"
    with pytest.raises(EngineError):
        plan_for(WAN_ANIMATE_1, 640, 800, free_gib=139, host_gib=5)
    with pytest.raises(EngineError):  # other weights are loaded anew
        plan_for(WAN_ANIMATE_1, 640, 800, free_gib=35, host_gib=30, loaded=whole[0])


def test_plans_that_failed_are_shunned_by_size_and_for_a_while() -> None:
    now = [0.0]
    shunned = Shunned(lambda: now[0])
    shunned.add("a", "encoders-aside", 800)
    shunned.add("a", "resident", 400)
    assert [shunned.last("a", pixels) for pixels in (300, 400, 800)] == ["", "resident", "encoders-aside"]
    assert shunned.last("b", 800) == ""
    now[0] = SHUNNED_S + 1
    assert shunned.last("a", 800) == ""


def test_32_bits_on_the_disk_are_16_in_the_machines_memory_before_they_reach_the_card() -> None:
    for plan in plans(WAN_ANIMATE_1, 640, 800):
        assert plan.loading_gib == 32.2
        assert plan.host_gib >= 36.2
    assert {plan.loading_gib for plan in plans(WAN_ANIMATE_2, 640, 800)} == {0.0}


def test_a_named_plan_is_taken_and_a_wrong_name_told() -> None:
    named = plan_for(WAN_ANIMATE_2, 640, 800, free_gib=1, host_gib=1, named="small-weights")
    assert named.small_weights
    with pytest.raises(EngineError) as caught:
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=1, host_gib=1, named="tiny")
    assert caught.value.code == "gpu_plan"


@pytest.mark.parametrize(
    ("free_gib", "named"), [(80, "resident"), (65, "encoders-aside"), (47, "small-cache")]
)
def test_with_8_bits_more_fits(free_gib: float, named: str) -> None:
    """And the weights are in 8 bits in every plan."""
    found = plan_for(WAN_ANIMATE_2, 640, 800, free_gib=free_gib, host_gib=128, precision="8")
    assert found.name == named
    for spec in (WAN_ANIMATE_1, WAN_ANIMATE_2):
        wide, narrow = (plans(spec, 720, 1280, precision) for precision in ("16", "8"))
        assert plans(spec, 720, 1280) == wide
        assert [plan.name for plan in narrow] == [plan.name for plan in wide] == list(PLANS)
        assert all(plan.small_weights and plan.small_products for plan in narrow)
        assert [plan.name for plan in wide if plan.small_weights] == ["small-weights"]
        assert not any(plan.small_products for plan in wide)
        for small, large in zip(narrow, wide, strict=True):
            # 16.15 thousand million numbers in the blocks, a byte less for each; streamed, of two blocks of 40.
            spared = 15.04 * {"streamed": 2 / 40, "small-weights": 0}.get(small.name, 1)
            assert large.needs_gib - small.needs_gib == pytest.approx(spared, abs=0.11)
            spared_host = 22.5 if small.streamed else 0
            assert large.host_gib - small.host_gib == pytest.approx(spared_host, abs=0.11)


@pytest.mark.parametrize(
    ("spec", "precision", "tried", "goes_on"),
    [
        (WAN_ANIMATE_2, "", "small-cache", "small-weights"),
        (WAN_ANIMATE_2, "8", "small-cache", "streamed"),
        (WAN_ANIMATE_1, "", "encoders-aside", "small-weights"),
    ],
)
def test_what_needs_as_much_as_one_that_did_not_fit_is_passed_over(
    spec: ModelSpec, precision: str, tried: str, goes_on: str
) -> None:
    found = plan_for(spec, 640, 800, free_gib=139, host_gib=128, after=tried, precision=precision)
    assert found.name == goes_on


def test_a_precision_that_is_none_is_told() -> None:
    for named in ("", "16", "8"):
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=139, host_gib=128, precision=named)
    with pytest.raises(EngineError) as caught:
        plan_for(WAN_ANIMATE_2, 640, 800, free_gib=139, host_gib=128, precision="fp8")
    assert (caught.value.code, caught.value.value, caught.value.limit) == ("gpu_plan", "fp8", "16 or 8")
    assert "UNDERSTUDY_GPU_PRECISION" in caught.value.fix


@given(st.integers(32, 8000), st.integers(32, 8000), st.sampled_from(list(Mode)))
def test_native_sizes(width: int, height: int, mode: Mode) -> None:
    wide, high = native_size(width, height, mode)
    assert wide % 16 == 0
    assert high % 16 == 0
    assert max(wide, high) <= 2048
    assert wide * high <= AREAS[mode] or 16 in (wide, high)
    if 0.25 < width / height < 4:
        assert wide * high > 0.9 * AREAS[mode]
        assert abs(np.log(wide / high / (width / height))) < 0.09  # the frame has nearly the picture's shape


@given(st.integers(1, 500), st.integers(1, 500))
def test_a_picture_lies_whole_in_its_frame_and_comes_out_again(width: int, height: int) -> None:
    lies = fit(width, height, 96, 64)
    picture = np.full((height, width, 3), 200, np.uint8)
    frame = lies.applied(picture)
    assert frame.shape == (64, 96, 3)
    inner = lies.undone(frame)
    assert (inner == 200).all()
    assert int((frame == 0).all(axis=2).sum()) == 96 * 64 - inner.shape[0] * inner.shape[1]
    corner = lies.affine(width, height) @ np.array([width, height, 1])
    assert np.allclose(corner, (lies.left + lies.inner_width, lies.top + lies.inner_height), atol=1e-3)


def test_scaling_up_gives_the_size_and_keeps_what_has_it() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    assert scaled_up(frame, 60, 80).shape == (80, 60, 3)
    assert scaled_up(frame, 30, 40) is frame
