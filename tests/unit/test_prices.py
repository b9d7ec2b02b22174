"""What a video costs, against Kling's price list."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import FormError
from understudy.request import Mode
from understudy.tasks.prices import MODELS, price, units_per_second, units_text


def test_kling_s_price_list() -> None:
    listed = {(model, mode): units_per_second(model, mode) for model in MODELS for mode in Mode}
    assert listed == {
        ("kling-v2-6", Mode.STD): Decimal("0.5"),
        ("kling-v2-6", Mode.PRO): Decimal("0.8"),
        ("kling-v3", Mode.STD): Decimal("0.9"),
        ("kling-v3", Mode.PRO): Decimal("1.2"),
    }


@pytest.mark.parametrize(
    ("seconds", "paid"),
    [
        (9.066, 9),  # the published sample: 4.5 units at 0.5
        (3, 3),
        (3.041, 3),
        (3.4994, 3),
        (3.4999, 4),  # shown as 3.500
        (3.5, 4),
        (4.5, 5),  # half up, not to even
        (2.9999999999999996, 3),
        (30.4, 30),
        (0.0, 0),
    ],
)
def test_whole_seconds_half_up_of_the_length_that_is_shown(seconds: float, paid: int) -> None:
    assert price("kling-v2-6", Mode.STD, seconds) == paid * Decimal("0.5")
    assert price("kling-v3", Mode.PRO, seconds) == paid * Decimal("1.2")


def test_the_published_sample_as_text() -> None:
    assert units_text(price("kling-v2-6", Mode.STD, 9.066)) == "4.5"


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ("4.50", "4.5"),
        ("0.00", "0"),
        ("-0.00", "0"),
        ("12", "12"),
        ("100.00", "100"),
        ("1E+3", "1000"),
        ("-1.5", "-1.5"),
    ],
)
def test_units_as_kling_writes_them(units: str, text: str) -> None:
    assert units_text(Decimal(units)) == text


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_units_text_is_exact(units: Decimal) -> None:
    text = units_text(units)
    assert Decimal(text) == units
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


@given(st.floats(0, 3600), st.floats(0, 3600))
def test_a_longer_video_never_costs_less(one: float, other: float) -> None:
    short, long = sorted((one, other))
    assert price("kling-v3", Mode.STD, short) <= price("kling-v3", Mode.STD, long)


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf"), 1e9])
def test_what_is_no_length_has_no_price(seconds: float) -> None:
    with pytest.raises(ValueError, match="no length"):
        price("kling-v3", Mode.STD, seconds)


def test_a_model_without_a_price() -> None:
    with pytest.raises(FormError) as caught:
        price("kling-v9", Mode.STD, 3)
    assert caught.value.code == "model_unknown"
    assert "'kling-v9'" in caught.value.message
    assert "kling-v2-6" in caught.value.fix
