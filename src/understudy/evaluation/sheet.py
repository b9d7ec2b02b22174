"""A contact sheet: the driving video's frames above, the output's below, with their times."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.evaluation.samples import sampled
from understudy.media.clip import probe
from understudy.media.whole_file import write_whole
from understudy.tracking.tracker import Frame

GAP_PX = 4
SHEET_PX = 2000  # wide at most, with three columns at least
LABEL_PX = 22
PAPER = 24
INK = (235, 235, 235)


def contact_sheet(
    driving: Path,
    output: Path,
    path: Path,
    *,
    columns: int | None = None,
    rows: int = 3,
    frame_height: int = 320,
    driving_start_s: float = 0.0,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> None:
    """Write a PNG with ``rows`` pairs of strips, ``columns`` frames each, spread evenly over the output.

    ``start_s`` and ``seconds`` choose a part of the output; its start belongs to ``driving_start_s + start_s`` in
    the driving video. Frames are ``frame_height`` pixels high. The videos are streamed, only the sheet is held.
    ``columns`` None fits the sheet into `SHEET_PX`. Raises ClipError and RequestError (`output_unwritable`).
    """
    clip, made = probe(driving), probe(output)
    left_s = min(made.duration_s, clip.duration_s - driving_start_s) - start_s
    span_s = left_s if seconds is None else min(left_s, seconds)
    if span_s <= 0:
        raise ClipError(
            "offset_outside",
            "The part asked for lies outside the videos.",
            value=f"{start_s:g} s",
            fix="Give a start inside both videos.",
        )
    widest = max(c.width / c.height for c in (clip, made))
    columns = columns or int(np.clip(SHEET_PX // (widest * frame_height + GAP_PX), 3, 8))
    count = columns * rows
    times = [start_s + span_s * (k + 0.5) / count for k in range(count)]
    above = sampled(clip, [driving_start_s + t for t in times], height=frame_height)
    below = sampled(made, times, height=frame_height)
    sheet: NDArray[np.uint8] | None = None
    cell = 0
    # Frames of a clip share one size, so the first pair fixes the cells.
    for number, (first, second) in enumerate(zip(above, below, strict=False)):
        if sheet is None:
            cell = max(first.shape[1], second.shape[1]) + GAP_PX
            pair = LABEL_PX + 2 * (frame_height + GAP_PX)
            sheet = np.full((pair * rows, cell * columns, 3), PAPER, np.uint8)
        row, column = divmod(number, columns)
        top, left = row * (LABEL_PX + 2 * (frame_height + GAP_PX)), column * cell
        cv2.putText(
            sheet,
            f"{times[number]:.2f} s",
            (left + 4, top + 16),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            INK,
            1,
            cv2.LINE_AA,
        )
        _paste(sheet, first, top + LABEL_PX, left)
        _paste(sheet, second, top + LABEL_PX + frame_height + GAP_PX, left)
    if sheet is None:
        raise ClipError("clip_empty", "A video holds no frames.", fix="Give a video that a player plays.")
    done, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert done
    write_whole(path, png.tobytes())


def _paste(sheet: NDArray[np.uint8], frame: Frame, top: int, left: int) -> None:
    height, width = frame.shape[:2]
    sheet[top : top + height, left : left + width] = frame
