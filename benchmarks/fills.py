"""Ways to fill the background behind a figure, compared on pictures where what is hidden is known.

A drawn figure is laid beside the people of each picture; what it hides is the right answer. Figures: seconds, mean
difference of 255 (`l1`), the same of the pictures' slopes (`slope`), and how much slope there is against the right
answer (`sharp`, best 1). A blur has a good `l1`: look at the pictures too (`--out`).

    .venv/bin/python benchmarks/fills.py --media FOLDER --out out/fills [part of a picture's name ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.background import clean_background, find_hole
from understudy.media.picture import load_picture
from understudy.tracking.segmentation import segment

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Fill = Callable[[Frame, NDArray[np.float32]], Frame]

SHORT_SIDE = 720
PEOPLE = 0.2  # segmentation above which a pixel may be somebody
# the drawn figure, in parts of its height, from the middle of its soles: x, y, x, y, width
BONES = (
    (0, 0.93, 0, 0.93, 0.13),
    (0, 0.82, 0, 0.5, 0.2),
    (-0.1, 0.8, -0.2, 0.48, 0.06),
    (0.1, 0.8, 0.2, 0.48, 0.06),
    (-0.05, 0.5, -0.09, 0.02, 0.09),
    (0.05, 0.5, 0.09, 0.02, 0.09),
)


def figure(height: int, width: int, middle: float) -> NDArray[np.float32]:
    """(height, width) 0..1 a standing figure about the column ``middle``."""
    tall = min(0.75 * height, 1.1 * width)
    drawn = np.zeros((height, width), np.uint8)
    for x0, y0, x1, y1, thick in BONES:
        ends = [(round(middle + x * tall), round(0.95 * height - y * tall)) for x, y in ((x0, y0), (x1, y1))]
        cv2.line(drawn, ends[0], ends[1], 255, max(1, round(thick * tall)), cv2.LINE_AA)
    return (drawn / np.float32(255)).astype(np.float32)


def cases(folder: Path, names: list[str]) -> Iterator[tuple[str, Frame, NDArray[np.float32], Mask]]:
    """Name, picture, alpha of everything hidden, and where the answer is known."""
    for path in sorted((folder / "images").iterdir()):
        if path.stem.startswith("drw_") or (names and not any(name in path.stem for name in names)):
            continue
        picture = load_picture(path, limits=False)
        if picture.alpha is not None:
            continue
        scale = SHORT_SIDE / min(picture.width, picture.height)
        rgb = np.asarray(
            cv2.resize(picture.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
        height, width = rgb.shape[:2]
        people = np.asarray(cv2.resize(segment(rgb), (width, height)), np.float32) > PEOPLE
        people = cv2.dilate(people.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        tries = [figure(height, width, middle) for middle in np.linspace(0.2, 0.8, 13) * width]
        best = max(tries, key=lambda alpha: float(((alpha > 0.5) & ~people).sum()))
        known = (best > 0.5) & ~people
        if known.mean() > 0.03:
            yield path.stem, rgb, np.maximum(best, people).astype(np.float32), known


def opencv(flag: int) -> Fill:
    """Telea's or the Navier-Stokes inpainting."""
    return lambda rgb, alpha: np.asarray(
        cv2.inpaint(rgb, find_hole(alpha).astype(np.uint8), 5, flag), np.uint8
    )


def shift_map(rgb: Frame, alpha: NDArray[np.float32]) -> Frame:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    filled = np.zeros_like(lab)
    known = np.where(find_hole(alpha), 0, 255).astype(np.uint8)
    cv2.xphoto.inpaint(lab, known, filled, cv2.xphoto.INPAINT_SHIFTMAP)
    return np.asarray(cv2.cvtColor(filled, cv2.COLOR_Lab2RGB), np.uint8)


def frequency_selective(rgb: Frame, alpha: NDArray[np.float32]) -> Frame:
    """At a quarter of the size: its cost grows with the hole."""
    hole = find_hole(alpha)
    small = np.asarray(cv2.resize(rgb, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8)
    known = cv2.resize(
        np.where(hole, 0, 255).astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    filled = np.zeros_like(small)
    cv2.xphoto.inpaint(small, known, filled, cv2.xphoto.INPAINT_FSR_FAST)
    large = cv2.resize(filled, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(hole[..., None], large, rgb).astype(np.uint8)


FILLS: dict[str, Fill] = {
    "ours": clean_background,
    "telea": opencv(cv2.INPAINT_TELEA),
    "ns": opencv(cv2.INPAINT_NS),
}
if hasattr(cv2, "xphoto"):  # OpenCV's contrib build, which the project itself does not need
    FILLS |= {"shiftmap": shift_map, "fsr": frequency_selective}


def slope(rgb: Frame) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(across, down) / 8, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--fills",
        default="ours,telea,ns",
        help=f"of {', '.join(FILLS)}; with opencv-contrib-python-headless also shiftmap (minutes), fsr",
    )
    chosen = parser.parse_args()
    fills = chosen.fills.split(",")
    rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in fills}
    for stem, rgb, alpha, known in cases(chosen.media, chosen.names):
        right, shown = slope(rgb), [rgb]
        for name in fills:
            begun = time.perf_counter()
            filled = FILLS[name](rgb, alpha)
            seconds = time.perf_counter() - begun
            l1 = np.abs(filled.astype(np.float32) - rgb).mean(2)[known].mean()
            ours = slope(filled)
            off = np.abs(ours - right)[known].mean()
            sharp = ours[known].mean() / max(float(right[known].mean()), 1e-3)
            rows[name].append((seconds, float(l1), float(off), float(sharp)))
            shown.append(filled)
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(chosen.out / f"{stem}.png"), np.hstack(shown)[..., ::-1])
        print(stem, flush=True)
    print(f"{'fill':10s} {'pictures':>8s} {'seconds':>8s} {'l1':>6s} {'slope':>6s} {'sharp':>6s}")
    for name, figures in rows.items():
        seconds, l1, off, sharp = np.mean(figures, axis=0)
        print(f"{name:10s} {len(figures):8d} {seconds:8.2f} {l1:6.2f} {off:6.2f} {sharp:6.2f}")


if __name__ == "__main__":
    main()
