"""What of a request can be told to be wrong, or to be of no use, before any work is done."""

from __future__ import annotations

from typing import TypeVar

from understudy.engines.capabilities import Capabilities
from understudy.engines.registry import engine_capabilities
from understudy.errors import RequestError
from understudy.media.whole_file import check_places
from understudy.recording import marked_path
from understudy.request import MOST_SEED, Matting, Mode, MotionRequest, Orientation, Scene

E = TypeVar("E", Orientation, Mode, Matting, Scene)


def choice(kind: type[E], name: str, value: str) -> E:
    """Raises RequestError (``orientation_unknown`` and the like)."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise RequestError(
            f"{name}_unknown",
            f"There is no {name} {value!r}.",
            value=value,
            limit=allowed,
            fix=f"Use one of: {allowed}.",
        ) from None


def checked_seed(value: int | None) -> int | None:
    """Raises RequestError (``seed_range``)."""
    if value is not None and not 0 <= value <= MOST_SEED:
        raise RequestError(
            "seed_range",
            f"The seed {value} is not one of 0 to {MOST_SEED}.",
            value=str(value),
            limit=f"0 to {MOST_SEED}",
            fix="Choose a whole number in that range.",
        )
    return value


def check_output(request: MotionRequest) -> None:
    """The files to write: a wrong place is told before any work is done."""
    if request.output.suffix.lower() != ".mp4":
        raise RequestError(
            "output_suffix",
            f"The output is an mp4, but {request.output.name!r} does not end in .mp4.",
            value=request.output.suffix or "none",
            limit=".mp4",
            fix="Name it something.mp4.",
        )
    if request.sheet is not None and request.video is None and request.motion is not None:
        raise RequestError(
            "sheet_without_video",
            "A contact sheet shows the driving video beside the output, but only a motion is given.",
            value=request.sheet.name,
            fix="Give --video beside --motion, or no --sheet.",
        )
    check_places(
        (request.output, marked_path(request), request.sheet, request.save_motion),
        (request.image, request.video, request.motion, request.joints, *request.views),
    )


def check_engine(request: MotionRequest, engine: Capabilities) -> None:
    """Raise RequestError for what this engine cannot do, before any work."""
    if request.scene not in engine.scenes:
        can = ", ".join(known.name for known in engine_capabilities() if request.scene in known.scenes)
        raise RequestError(
            "scene_unknown",
            f"The engine {engine.name} cannot make the scene {request.scene.value!r}.",
            value=request.scene.value,
            limit=", ".join(engine.scenes),
            fix=f"Use the engine {can}, or leave the scene out.",
        )
    if engine.sees_video and request.video is None:
        raise RequestError(
            "video_missing",
            f"The engine {engine.name} looks at the driving video itself, but none is given.",
            fix="Give --video, beside --motion if there is one.",
        )
