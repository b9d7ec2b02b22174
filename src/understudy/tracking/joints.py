"""The joints file: where the user says that the character's joints are (``--joints file.json``).

A JSON object, at most 64 kB, of landmark names and places in pixels of the upright picture (as a viewer shows it,
x right, y down)::

    {
      "nose": [412, 188],
      "left_shoulder": [486, 301], "right_shoulder": [340, 303],
      "left_elbow": [530, 410],    "right_elbow": [298, 408],
      "left_wrist": [548, 520],    "right_wrist": [280, 515],
      "left_hip": [455, 540],      "right_hip": [372, 541],
      "left_knee": [460, 700],     "right_knee": [366, 702],
      "left_ankle": [463, 860],    "right_ankle": [360, 858]
    }

Left and right are the character's own. The thirteen above are required, but ``head_top`` may stand for ``nose``.
Any other landmark of BlazePose may be added by its name (`template.NAMES`: eyes, ears, mouth, fingers, heels,
``left_foot_index``...); what is missing is placed by proportion. ``left_eye`` and ``right_eye`` together settle where
the face is, ``mouth_left`` and ``mouth_right`` its mouth, ``chin`` its lower end. A joint that the picture's edge cuts
off may lie outside the picture, by at most the picture's own size; it is not animated.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from understudy.errors import RequestError
from understudy.media.ordinary_file import why_not_ordinary
from understudy.tracking.found_face import FaceHints
from understudy.tracking.motion import BODY, Floats
from understudy.tracking.template import INDEX, NAMES, complete, world_from
from understudy.tracking.tracker import Person, nobody

MOST_BYTES = 65536
SHORTEST_TRUNK = 0.02  # of the picture's height, from the shoulders' middle to the hips'
REQUIRED = (
    "nose",
    *(
        f"{side}_{part}"
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
BESIDE = ("head_top", "chin")  # names that no landmark has
_EXAMPLE = 'Give a JSON object of landmark names and pixel places, such as {"nose": [412, 188], ...}.'


def read_joints(path: Path, width: int, height: int, shrunk: int = 1) -> Person:
    """The person that a joints file describes, for an upright picture of that size, in its pixels.

    ``shrunk`` is how many of the file's pixels, which are the user's, one of the picture's stands for.
    Raises RequestError: ``joints_unreadable``, ``joints_incomplete``, ``joints_outside``, ``joints_degenerate``.
    """
    given = _places(path, shrunk)
    top = given.pop("head_top", None)
    if top is not None and "nose" not in given and "left_shoulder" in given and "right_shoulder" in given:
        neck = (np.add(given["left_shoulder"], given["right_shoulder"])) / 2
        x, y = np.asarray(top) + 0.55 * (neck - np.asarray(top))
        given["nose"] = (float(x), float(y))
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise RequestError(
            "joints_incomplete",
            f"The joints file {path.name!r} lacks {', '.join(missing)}.",
            value=f"{len(REQUIRED) - len(missing)} of {len(REQUIRED)} joints",
            limit=f"{len(REQUIRED)} joints",
            fix="Add the missing joints, in pixels of the upright picture.",
        )
    known: Floats = np.full((BODY, 2), np.nan, np.float32)
    for name, (x, y) in given.items():
        if not (-width <= x <= 2 * width and -height <= y <= 2 * height):
            raise RequestError(
                "joints_outside",
                f"The joint {name} of {path.name!r} lies far outside the picture.",
                value=f"({x * shrunk:.0f}, {y * shrunk:.0f})",
                limit=f"a picture of {width * shrunk} x {height * shrunk} pixels",
                fix="Give places in pixels of the upright picture, x to the right and y down.",
            )
        if name in INDEX:  # the chin is no landmark
            known[INDEX[name]] = (x, y)
    inside = np.asarray((known >= 0).all(axis=1) & (known < (width, height)).all(axis=1))
    if inside[[INDEX[name] for name in REQUIRED]].sum() < 3:
        raise RequestError(
            "joints_outside",
            f"Hardly a joint of {path.name!r} lies inside the picture.",
            value=f"{int(inside.sum())} joints inside",
            limit="3 joints inside",
            fix="Give places in pixels of the upright picture, x to the right and y down.",
        )
    _check_trunk(path, known, height)
    head = None if top is None else 1.7 * float(np.linalg.norm(np.asarray(top) - known[0]))
    body = np.zeros((BODY, 3), np.float32)
    body[:, :2] = complete(known, head_height=head)
    visibility = np.where(np.isfinite(known[:, 0]), 1.0, 0.6).astype(np.float32)
    return replace(nobody(), body=body, visibility=visibility, world=world_from(body))


def read_face_hints(path: Path, shrunk: int = 1) -> FaceHints:
    """What a joints file tells of the face: both eyes, both corners of the mouth, the chin, where it has them.

    In the pixels of a picture ``shrunk`` so many times. Raises RequestError as `read_joints`.
    """
    given = _places(path, shrunk)

    def both(*names: str) -> Floats | None:
        if not all(name in given for name in names):
            return None
        places = np.array([given[name] for name in names], np.float32)
        return places[np.argsort(places[:, 0], kind="stable")]

    chin = both("chin")
    return FaceHints(
        eyes=both("left_eye", "right_eye"),
        mouth=both("mouth_left", "mouth_right"),
        chin=None if chin is None else chin[0],
    )


def _places(path: Path, shrunk: int) -> dict[str, tuple[float, float]]:
    """The checked content of the file: known names, two finite numbers each, in the shrunk picture's pixels."""
    why_not = why_not_ordinary(path)
    if why_not is not None:
        raise _unreadable(path, why_not)
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise _unreadable(path, f"it is larger than {MOST_BYTES} bytes")
        content = json.loads(text.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, f"it cannot be read as JSON ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it is not a JSON object")
    places: dict[str, tuple[float, float]] = {}
    for name, place in content.items():
        if name not in INDEX and name not in BESIDE:
            known = ", ".join((*BESIDE, *NAMES))
            raise _unreadable(path, f"{name[:40]!r} is no landmark; known are {known}")
        if not isinstance(place, list) or len(place) != 2 or not all(_is_number(v) for v in place):
            raise _unreadable(path, f"the place of {name} is not two numbers [x, y]")
        places[name] = (float(place[0]) / shrunk, float(place[1]) / shrunk)
    return places


def _check_trunk(path: Path, known: Floats, height: int) -> None:
    """Raise RequestError where the hips lie on the shoulders: everything is measured by the trunk's length."""
    shoulders, hips = (known[rows].mean(axis=0) for rows in ([11, 12], [23, 24]))
    length = float(np.linalg.norm(hips - shoulders))
    if length < SHORTEST_TRUNK * height:
        raise RequestError(
            "joints_degenerate",
            f"The shoulders and the hips of {path.name!r} lie in one place: that is no body.",
            value=f"{length:.1f} px apart",
            limit=f"at least {SHORTEST_TRUNK * height:.1f} px, {100 * SHORTEST_TRUNK:g} % of the picture's height",
            fix="Give each joint its own place, in pixels of the upright picture.",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e7


def _unreadable(path: Path, why: str) -> RequestError:
    return RequestError(
        "joints_unreadable", f"The joints file {path.name!r} cannot be used: {why}.", fix=_EXAMPLE
    )
