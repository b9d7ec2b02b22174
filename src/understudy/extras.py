"""How one gets the extras of this very package."""

from __future__ import annotations


def install(extra: str) -> str:
    """What to do where an extra is not installed. Never by the bare name: the package that an index has under it is
    somebody else's."""
    return (
        f"In the checkout run `pip install -e '.[{extra}]'`; "
        f"elsewhere give pip the wheel's file with [{extra}] behind its name (docs/install.md)."
    )
