"""What a video costs, in Kling's units: so many a second by model and mode.

The prices are those of Kling's public price list (one unit is sold there for 0.14 USD).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from understudy.errors import FormError
from understudy.request import Mode

UNITS_PER_SECOND = {
    ("kling-v2-6", Mode.STD): Decimal("0.5"),
    ("kling-v2-6", Mode.PRO): Decimal("0.8"),
    ("kling-v3", Mode.STD): Decimal("0.9"),
    ("kling-v3", Mode.PRO): Decimal("1.2"),
}
MODELS = tuple(dict.fromkeys(model for model, _ in UNITS_PER_SECOND))

_MILLISECOND = Decimal("0.001")
_SECOND = Decimal(1)


def units_per_second(model: str, mode: Mode) -> Decimal:
    """Raises FormError (``model_unknown``) for a model without a price."""
    try:
        return UNITS_PER_SECOND[model, mode]
    except KeyError:
        raise FormError(
            "model_unknown",
            f"There is no model {model!r}.",
            value=model,
            limit=", ".join(MODELS),
            fix=f"Use one of: {', '.join(MODELS)}.",
        ) from None


def price(model: str, mode: Mode, seconds: float) -> Decimal:
    """Units for a video of that length: whole seconds, half a second counts as one.

    The length is taken to the millisecond first, as callers are told it, so that nobody who is shown 4.500 s pays
    for 4. Raises FormError (``model_unknown``); a length that is none is a fault of the caller: ValueError.
    """
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{seconds!r} is no length of a video in seconds")
    shown = Decimal(repr(float(seconds))).quantize(_MILLISECOND, ROUND_HALF_UP)
    return units_per_second(model, mode) * shown.quantize(_SECOND, ROUND_HALF_UP)


def units_text(units: Decimal) -> str:
    """Units as Kling writes them: ``"4.5"``, ``"0"``, ``"12"``."""
    return f"{units.normalize() + 0:f}"
