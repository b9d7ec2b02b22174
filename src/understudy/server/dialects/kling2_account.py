"""What an account has and what its tasks took, in Kling's words: one resource pack, which mirrors our ledger."""

from __future__ import annotations

from typing import Any

from understudy.server.dialects.call import Call
from understudy.server.dialects.fields import invalid, unknown_keys
from understudy.server.dialects.kling2_answers import PRODUCT, queried
from understudy.server.dialects.kling2_form import AUDIO, MODELS, RESOLUTIONS
from understudy.server.dialects.kling2_window import Dimension, Listing, check_order, milliseconds
from understudy.server.dialects.notes import UNKNOWN_PARAMETER, Note
from understudy.server.links import Links
from understudy.tasks.ledger import MOST
from understudy.tasks.pack import Deduction, Pack

COSTS = "/account/costs"
BALANCE = "/account/billing/balance"
PACKAGE = "/account/billing/package"
PARAMETERS = ("start_time", "end_time", "resource_pack_name")
PACK_NAME = "Understudy units"
FOR_EVER_MS = 4_102_444_800_000  # 2100-01-01: packs of ours do not end
KEY_NAME = ""  # keys of ours have no names
DETAILS = 500  # on a page, unless it is asked for fewer

OF_BALANCE = (Dimension("api_key_name"),)
OF_PACKAGE = (
    Dimension("api_key_name"),
    Dimension("product_type", (PRODUCT, "image", "try-on")),
    Dimension("package_name"),
    Dimension("package_id"),
)


def decode_costs(call: Call) -> tuple[int | None, int | None, str | None, tuple[Note, ...]]:
    """Start and end in milliseconds, the pack's name, and notes. Raises FormError (``field_invalid``)."""
    given: dict[str, str] = {}
    for name, value in call.query:
        if name in given:
            raise invalid(name, "given twice", "one value")
        given[name] = value
    notes = unknown_keys(given, PARAMETERS, kind=UNKNOWN_PARAMETER, what="The address")
    start_ms, end_ms = milliseconds(given, "start_time"), milliseconds(given, "end_time")
    if start_ms is not None and end_ms is not None:
        check_order(start_ms, end_ms)
    return start_ms, end_ms, given.get("resource_pack_name") or None, notes


def costs(
    pack: Pack, account_id: int, start_ms: int | None, end_ms: int | None, name: str | None
) -> dict[str, Any]:
    """The pack, where it was there at some moment of that time and has that name."""
    since_ms = round(pack.since.timestamp() * 1000)
    there = (end_ms is None or since_ms <= end_ms) and (start_ms is None or start_ms <= FOR_EVER_MS)
    total = MOST if pack.granted is None else pack.granted
    left = MOST if pack.left is None else pack.left
    info = {
        "resource_pack_name": PACK_NAME,
        "resource_pack_id": pack_id(account_id),
        "resource_pack_type": "decreasing_total",
        "total_quantity": float(total),
        "remaining_quantity": float(left),
        "purchase_time": since_ms,
        "effective_time": since_ms,
        "invalid_time": FOR_EVER_MS,
        "status": "online" if left > 0 else "runOut",
    }
    shown = [info] if there and name in (None, PACK_NAME) else []
    return {"code": 0, "msg": "success", "resource_pack_subscribe_infos": shown}


def pack_id(account_id: int) -> str:
    """32 hexadecimal digits, as Kling's have them."""
    return f"{account_id:032x}"


def any_of_pack(listing: Listing, account_id: int) -> bool:
    """Whether the filters let anything of the account's one pack through. Raises FormError (``field_invalid``)."""
    filters = listing.filters
    if "package_name" in filters and "package_id" in filters:
        raise invalid("filters", "package_name and package_id at once", "one of the two")
    ours = {
        "api_key_name": KEY_NAME,
        "product_type": PRODUCT,
        "package_name": PACK_NAME,
        "package_id": pack_id(account_id),
    }
    return all(ours[key] in values for key, values in filters.items() if key in ours)


def details(found: list[dict[str, Any]], cursor: str | None) -> dict[str, Any]:
    return {
        "result": {"detail": found, "count": len(found)},
        "next_cursor": cursor or "",
        "has_more": cursor is not None,
    }


def detail(one: Deduction, links: Links) -> dict[str, Any]:
    """One task's deduction from the pack."""
    task = one.task
    resolutions = {mode: word for word, mode in RESOLUTIONS.items()}
    models = {ours: word for word, ours in MODELS.items()}
    outputs = queried(task, links)["outputs"]
    return {
        "package_id": pack_id(task.account_id),
        "product_type": PRODUCT,
        "task_id": str(task.id),
        "api_key_name": KEY_NAME,
        "product_function": "Motion Control",
        "model_name": models.get(task.model, task.model),
        "resolution": resolutions[task.mode],
        "duration": outputs[0]["duration"] if outputs else "0",
        "refer_video_input": True,
        "video_sound": AUDIO[0] if task.sound else AUDIO[1],
        "voice_control": False,
        "deduction_time": str(round(one.at.timestamp() * 1000)),
        "unit_before_deduction": float(MOST if one.before is None else one.before),
        "deduction_amount": float(one.units),
        "unit_after_deduction": float(MOST if one.after is None else one.after),
    }
