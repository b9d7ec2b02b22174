"""A list of pairs to measure: read it, make each output, collect the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from understudy.errors import RequestError, UnderstudyError
from understudy.evaluation.evaluate import evaluate
from understudy.evaluation.figures import Figures
from understudy.evaluation.rest import still_clip
from understudy.evaluation.sheet import contact_sheet
from understudy.media.clip import probe, read_frames
from understudy.request import Orientation

KINDS = ("self", "cross")
COLUMNS = {
    "self": (
        *("akd", "akd_p95", "mkr", "limb_deg", "turned", "lag", "face_gt_ncc", "face_ncc", "expr"),
        *("lip_lag", "hand_deg", "hand_seen", "hand_swapped", "sil_iou", "reveal_l1", "bg_l1", "bg_bad"),
        *("rest_psnr", "rest_face_psnr", "jitter", "still_p99", "psnr", "ssim"),
    ),
    "cross": (
        *(
            "mkr",
            "mkr_shown",
            "limb_deg",
            "limb_deg_p95",
            "turned",
            "lag",
            "face_ncc",
            "expr",
            "lip_lag",
        ),
        *("hand_deg", "hand_seen", "hand_swapped", "bg_l1", "bg_bad"),
        *("jitter", "still_p99", "facing_drift", "root_drift"),
    ),
}
FILE_COLUMNS = (
    "duration_s",
    "driving_duration_s",
    "face_px",
    "hand_px",
    "fps",
    "width",
    "height",
    "sound",
    "sound_offset_s",
    "work_s_per_s",
)


@dataclass(frozen=True)
class Pair:
    """One reference image, one driving video. Without ``reference`` it is frame ``reference_frame`` of the video."""

    name: str
    kind: str
    driving: Path
    reference: Path | None
    reference_frame: int | None
    orientations: tuple[Orientation, ...]


@dataclass(frozen=True)
class Rendered:
    """What an animate function gives back: the second of the driving video at which the output begins, the time
    the work took, and anything worth keeping beside the figures."""

    driving_start_s: float = 0.0
    work_s: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """One pair in one orientation: its figures, or the error that stopped it."""

    pair: Pair
    orientation: Orientation
    figures: Figures | None
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def name(self) -> str:
        return f"{self.pair.name}-{self.orientation}"


Animate = Callable[[Path, Path, Path, Orientation], Rendered]
"""``animate(image, video, output, orientation)`` writes ``output``."""


def read_pairs(path: Path, media: Path) -> list[Pair]:
    """The pairs of a JSON list, file names relative to ``media``. Raises RequestError (``pairs_unreadable``)."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [_pair(entry, media) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            "pairs_unreadable",
            f"The list of pairs {path.name!r} cannot be read ({type(error).__name__}: {error}).",
            fix="Give a JSON list like benchmarks/pairs.json.",
        ) from error


def reference_of(pair: Pair, folder: Path) -> Path:
    """The pair's reference image; a frame of the clip is written to ``folder`` as PNG."""
    if pair.reference is not None:
        return pair.reference
    path = folder / f"{pair.name}-reference.png"
    for number, (_, frame) in enumerate(read_frames(probe(pair.driving))):
        if number == pair.reference_frame:
            Image.fromarray(np.ascontiguousarray(frame)).save(path)
            return path
    raise RequestError(
        "frame_outside",
        f"Pair {pair.name!r} wants a frame that its driving video does not have.",
        value=str(pair.reference_frame),
        fix="Give the number of a frame, counted from 0.",
    )


def run_pair(
    pair: Pair, orientation: Orientation, animate: Animate, folder: Path, *, rest: bool = True
) -> Outcome:
    """Make the output, measure it and draw its sheets, all into ``folder``. Errors of ours become the outcome."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{pair.name}-{orientation}"
    output = folder / f"{stem}.mp4"
    try:
        reference = reference_of(pair, folder)
        rendered = animate(reference, pair.driving, output, orientation)
        rested = (
            _rested(reference, animate, orientation, folder / f"{stem}-rest.mp4")
            if rest and pair.kind == "self"
            else None
        )
        figures = evaluate(
            reference,
            pair.driving,
            output,
            orientation=orientation,
            self_reenactment=pair.kind == "self",
            driving_start_s=rendered.driving_start_s,
            rest=rested,
            work_s=rendered.work_s,
            crops=folder / f"{stem}-crops",
        )
        contact_sheet(pair.driving, output, folder / f"{stem}.png", driving_start_s=rendered.driving_start_s)
    except UnderstudyError as error:
        return Outcome(pair, orientation, None, error=str(error))
    return Outcome(pair, orientation, figures, rendered.notes)


def as_json(outcomes: Iterable[Outcome]) -> str:
    """A JSON list with every figure of every outcome."""
    held: list[dict[str, Any]] = [
        {
            "name": o.pair.name,
            "kind": o.pair.kind,
            "orientation": str(o.orientation),
            "figures": None if o.figures is None else asdict(o.figures),
            "notes": list(o.notes),
            "error": o.error,
        }
        for o in outcomes
    ]
    return json.dumps(held, indent=2, allow_nan=False)


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Tables of self-reenactment and cross-identity apart, each figure with the still image's behind a stroke."""
    parts = []
    for kind, title in zip(KINDS, ("Self-reenactment", "Cross-identity"), strict=True):
        of_kind = [o for o in outcomes if o.pair.kind == kind]
        if not of_kind:
            continue
        parts += [f"## {title}", "", "Each cell: output / the still image.", ""]
        parts += [*_table(of_kind, COLUMNS[kind], beside=True), ""]
        parts += [*_table(of_kind, FILE_COLUMNS, beside=False), ""]
        parts += [
            f"- {o.name}: {note}" for o in of_kind for note in (*o.notes, *([o.error] if o.error else []))
        ]
        parts.append("")
    return "\n".join(parts)


def _table(outcomes: Sequence[Outcome], columns: Sequence[str], *, beside: bool) -> list[str]:
    lines = [f"| pair | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for outcome in outcomes:
        cells = []
        for column in columns:
            cell = _number(getattr(outcome.figures, column, None))
            still = getattr(outcome.figures, "still_image", None)
            cells.append(f"{cell} / {_number(getattr(still, column, None))}" if beside else cell)
        lines.append(f"| {outcome.name} | {' | '.join(cells)} |")
    return lines


def _number(value: float | bool | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _rested(reference: Path, animate: Animate, orientation: Orientation, output: Path) -> Path:
    clip = output.with_name(f"{output.stem}-clip.mp4")
    still_clip(reference, clip)
    animate(reference, clip, output, orientation)
    return output


def _pair(entry: dict[str, Any], media: Path) -> Pair:
    kind = entry["kind"]
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    reference, number = entry.get("reference"), entry.get("reference_frame")
    if reference is None and not isinstance(number, int):
        raise ValueError(f"{entry['name']!r} has neither reference nor reference_frame")
    return Pair(
        name=str(entry["name"]),
        kind=kind,
        driving=media / entry["driving"],
        reference=None if reference is None else media / reference,
        reference_frame=number,
        orientations=tuple(Orientation(o) for o in entry["orientations"]),
    )
