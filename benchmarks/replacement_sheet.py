"""A contact sheet of what the model is given to replace a performer: frame, pose, face, background, mask.

    python benchmarks/replacement_sheet.py CLIP SHEET.png [SECONDS ...]

One row for each of the seconds (0 and every second after it, without any). Below the sheet's name it prints how steady
the masks are and how long a frame takes on one thread. The sheet shows the clip: do not publish what is not yours.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from understudy.engines.diffusion.replacement import Entry, replacement_entries
from understudy.engines.diffusion.size import fit, native_size
from understudy.media.clip import frame_size, probe, read_frames
from understudy.request import Mode
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.tracker import Frame

SHORT_SIDE = 720  # at which the clip is looked at
ROW_PX = 360
TINT = np.array([120, 0, 0], np.uint8)


def row(frame: Frame, entry: Entry) -> NDArray[np.uint8]:
    """The pictures of one frame side by side, the mask in red over the frame."""
    over = frame.copy()
    there = entry["mask"] > 0
    over[there] = over[there] // 2 + TINT
    pictures = (frame, cv2.dilate(entry["pose"], np.ones((2, 2))), entry["face"], entry["background"], over)
    sizes = ((round(p.shape[1] * ROW_PX / p.shape[0]), ROW_PX) for p in pictures)
    return np.hstack(
        [cv2.resize(p, s, interpolation=cv2.INTER_AREA) for p, s in zip(pictures, sizes, strict=True)]
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="A sheet of what the model is given to replace a performer.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("seconds", type=float, nargs="*")
    asked = parser.parse_args(arguments)
    clip = probe(asked.clip)
    width, height = frame_size(clip, SHORT_SIDE)
    motion = track_clip(read_frames(clip, short_side_max=SHORT_SIDE), width, height, MediaPipeTracker())
    place = fit(width, height, *native_size(width, height, Mode.STD))
    wanted = asked.seconds or [float(second) for second in range(int(motion.duration_s) + 1)]
    shown = {int(np.abs(motion.times_s - second).argmin()) for second in wanted}
    held: list[Frame] = []

    def frames() -> Iterator[tuple[int, Frame, Frame]]:
        for t, (_, frame) in enumerate(read_frames(clip, short_side_max=SHORT_SIDE)):
            held[:] = [place.applied(frame)]
            yield t, held[0], frame

    rows, steady = [], []
    before: NDArray[np.bool_] | None = None
    begun_s = time.perf_counter()
    for t, entry in enumerate(replacement_entries(frames(), motion, place.affine(width, height))):
        mask = entry["mask"] > 0
        if before is not None and (mask | before).any():
            steady.append((mask & before).sum() / (mask | before).sum())
        before = mask
        if t in shown:
            rows.append(row(held[0], entry))
    Image.fromarray(np.vstack(rows)).save(asked.sheet)
    each_ms = (time.perf_counter() - begun_s) / len(motion) * 1000
    least, mean = (np.min(steady), np.mean(steady)) if steady else (1.0, 1.0)
    print(
        f"{asked.sheet}\nneighbouring masks share {mean:.3f}, least {least:.3f}; {each_ms:.0f} ms a frame with reading"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
