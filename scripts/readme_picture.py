"""The README's picture: the sample's character, and frames of the driving video above the result's.

    make demo
    .venv/bin/python scripts/readme_picture.py [RESULT.mp4] [PICTURE.jpg]

Nothing is retouched: frames are cut to the character's shape and scaled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from understudy.evaluation.samples import sampled
from understudy.media.clip import probe
from understudy.sample import character_path, clip_path

ROOT = Path(__file__).resolve().parents[1]
TIMES_S = (0.65, 1.85, 2.35, 3.6, 4.6, 5.1)
HEIGHT, WIDTH, GAP = 320, 240, 4
DANCER_TOP = 0.20  # of the clip's height: what is above is wall


def main() -> None:
    result = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "demo" / "understudy-demo.mp4"
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "images" / "sample.jpg"
    whole = 2 * HEIGHT + GAP
    with Image.open(character_path()) as reference:
        first = np.asarray(reference.convert("RGB").resize((whole * 3 // 4, whole), Image.Resampling.LANCZOS))
    width = first.shape[1] + len(TIMES_S) * (WIDTH + GAP)
    strip = np.full((whole, width, 3), 255, np.uint8)
    strip[:, : first.shape[1]] = first
    above = sampled(probe(clip_path()), TIMES_S)
    below = sampled(probe(result), TIMES_S)
    for column, (driving, made) in enumerate(zip(above, below, strict=True)):
        left = first.shape[1] + GAP + column * (WIDTH + GAP)
        top = round(DANCER_TOP * driving.shape[0])
        tall = driving.shape[1] * HEIGHT // WIDTH
        strip[:HEIGHT, left : left + WIDTH] = scaled(driving[top : top + tall])
        strip[HEIGHT + GAP :, left : left + WIDTH] = scaled(made)
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(strip).save(picture, quality=86, optimize=True, progressive=True)
    print(f"{picture}: {width} x {whole}, {picture.stat().st_size / 1024:.0f} kB")


def scaled(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3), by area."""
    small = Image.fromarray(np.ascontiguousarray(frame)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return np.asarray(small)


if __name__ == "__main__":
    main()
