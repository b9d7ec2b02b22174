"""What ``understudy evaluate`` does: one output judged, or a list of pairs made and judged."""

from __future__ import annotations

import math
import time
from pathlib import Path

from understudy.errors import RequestError
from understudy.evaluation.crops import EVERY
from understudy.evaluation.evaluate import evaluate
from understudy.evaluation.pairs import Animate, Outcome, Rendered, as_json, as_markdown, read_pairs, run_pair
from understudy.evaluation.sheet import contact_sheet
from understudy.media.whole_file import check_places, make_folder, write_whole
from understudy.progress import Progress, silent
from understudy.request import Orientation


def evaluate_one(
    image: Path | None,
    video: Path | None,
    output: Path | None,
    orientation: Orientation,
    *,
    self_reenactment: bool = False,
    start_s: float = 0.0,
    sheet: Path | None = None,
    crops: Path | None = None,
    every: int = EVERY,
    progress: Progress = silent,
) -> str:
    """The figures of one output, as JSON, its contact sheet and, in a folder, its crop sheets where asked for.

    ``self_reenactment`` False lets the pictures tell. Raises RequestError (``evaluate_incomplete``) where a file is
    not named or ``start_s`` is no time (``start_outside``), PictureError and ClipError where one cannot be read.
    """
    if image is None or video is None or output is None:
        raise RequestError(
            "evaluate_incomplete",
            "There is nothing to judge: a picture, a driving video and an output are wanted, or a list of pairs.",
            fix="Give --image, --video and --output, or --pairs and --media.",
        )
    if not (math.isfinite(start_s) and start_s >= 0):
        raise RequestError(
            "start_outside",
            f"The output cannot begin at second {start_s:g} of the driving video.",
            value=f"{start_s:g} s",
            limit="0 s or more",
            fix="Give the second that animate told, 0 where it told none.",
        )
    check_places((sheet,), (image, video, output))
    figures = evaluate(
        image,
        video,
        output,
        orientation=orientation,
        self_reenactment=True if self_reenactment else None,
        driving_start_s=start_s,
        crops=crops,
        every=every,
        progress=progress,
    )
    if sheet is not None:
        contact_sheet(video, output, sheet, driving_start_s=start_s)
    return figures.to_json()


def evaluate_pairs(
    pairs: Path,
    media: Path | None,
    folder: Path,
    *,
    only: frozenset[str] | None = None,
    rest: bool = True,
    animate: Animate | None = None,
    progress: Progress = silent,
) -> str:
    """Make and judge every pair of the list, or those named in ``only``.

    Videos, contact sheets, folders of crop sheets, ``figures.json`` and ``figures.md`` go to ``folder``; both files
    are written anew after every pair, so that a long run can be read early. ``media`` None looks for the files beside
    the list. Gives back the Markdown. Raises RequestError where the list cannot be read or holds none of the names.
    """
    listed = read_pairs(pairs, media or pairs.parent)
    chosen = [p for p in listed if only is None or p.name in only]
    if not chosen:
        raise RequestError(
            "pairs_none",
            f"The list {pairs.name!r} has none of the pairs asked for.",
            value=", ".join(sorted(only or ())) or "none",
            limit=", ".join(p.name for p in listed) or None,
            fix="Name pairs of the list.",
        )
    runs = [(pair, orientation) for pair in chosen for orientation in pair.orientations]
    outcomes: list[Outcome] = []
    make_folder(folder)
    for number, (pair, orientation) in enumerate(runs):
        progress("pairs", number, len(runs))
        outcomes.append(run_pair(pair, orientation, animate or in_process, folder, rest=rest))
        for name, text in (("figures.json", as_json(outcomes)), ("figures.md", as_markdown(outcomes))):
            write_whole(folder / name, text.encode())
    progress("pairs", len(runs), len(runs))
    return as_markdown(outcomes)


def in_process(image: Path, video: Path, output: Path, orientation: Orientation) -> Rendered:
    """Animate here and now; the work's time leaves out the start of Python."""
    # Looked up late: this room lies below the road of a request, which uses its contact sheet.
    from understudy.animate import animate

    begun = time.perf_counter()
    result = animate(image, video, output=output, orientation=orientation)
    return Rendered(
        driving_start_s=result.driving_start_s,
        work_s=time.perf_counter() - begun,
        notes=tuple(f"{left.what}: {left.detail}" for left in result.left_out),
    )
