"""An element's id as requests have it: a number or a text of digits, since JavaScript rounds Kling's own ids."""

from __future__ import annotations

from understudy.server.dialects.fields import invalid, missing, shown

MOST_DIGITS = 19  # Kling's are Java's long; ours have 15
ALLOWED = f"a whole number, or a text of up to {MOST_DIGITS} digits"


def element_id(name: str, value: object) -> int:
    """The id, whether or not there is such an element: ``Tasks.submit`` says that of a submission's. ``name`` is the
    field's. Raises FormError (``field_missing``, ``field_invalid``)."""
    if value is None:
        raise missing(name, ALLOWED)
    digits = str(value) if isinstance(value, int) and value.bit_length() < 64 else value
    usable = isinstance(digits, str) and digits.isascii() and digits.isdigit() and not isinstance(value, bool)
    if not usable or not isinstance(digits, str) or len(digits) > MOST_DIGITS:
        raise invalid(name, shown(value), ALLOWED)
    return int(digits)
