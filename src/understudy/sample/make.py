"""Makes the sample's files again: ``python -m understudy.sample.make [FOLDER]``.

Writes the reference image, the driving video with its sound, and where the dancer's joints really are:
``{"fps", "width", "height", "landmarks": BlazePose's numbers, "joints": (T, N, 2) pixels, "mouth": (T,) 0..1,
"blink": (T,) 0..1}``. Takes about three minutes on two idle cores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.sample import CHARACTER, CLIP, TRUTH, dancer, explorer, scenery
from understudy.sample.dance import FPS, FRAMES, stances
from understudy.sample.face import EYE_X, EYE_Y, NOSE_TIP, to_world
from understudy.sample.render import Light, picture
from understudy.sample.skeleton import Skeleton, pose
from understudy.sample.solid import Floats, linear, vec
from understudy.sample.tracing import Camera
from understudy.sample.tune import RATE_HZ, tune

MORNING = Light(
    vec(-0.45, 0.85, 0.75),
    linear("#ffeccd") * 0.88,
    linear("#bcd8ff") * 0.46,
    linear("#d8d8a0") * 0.26,
    linear("#fff0d8") * 0.8,
)
LAMPS = Light(
    vec(-0.40, 0.95, 0.75),
    linear("#fff3e2") * 0.90,
    linear("#dcebff") * 0.44,
    linear("#f0c4a4") * 0.26,
    linear("#fff6e8") * 0.8,
)
PORTRAIT = Camera(810, 1080, 520, (405, 985))
STAGE = Camera(720, 1280, 440, (360, 1135))
FLOOR_EDGE = 1050
X264 = {
    "crf": "21",
    "preset": "slow",
    # PyAV turns RGB to YUV by BT.601; players take untagged pictures of this size for BT.709.
    "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=smpte170m",
}
LANDMARKS = {
    0: "nose",
    2: "left eye",
    5: "right eye",
    11: "left shoulder",
    12: "right shoulder",
    13: "left elbow",
    14: "right elbow",
    15: "left wrist",
    16: "right wrist",
    23: "left hip",
    24: "right hip",
    25: "left knee",
    26: "right knee",
    27: "left ankle",
    28: "right ankle",
}


def portrait(oversample: float = 3.0) -> NDArray[np.uint8]:
    """The reference image, (H, W, 3) RGB."""
    groups = explorer.explorer(pose(explorer.BUILD, explorer.STANCE))
    backdrop, floor = scenery.hills(PORTRAIT.width, PORTRAIT.height)
    return picture(groups, PORTRAIT, MORNING, backdrop, floor, oversample)


def frame(number: int, oversample: float = 1.5) -> NDArray[np.uint8]:
    """One frame of the driving video, (H, W, 3) RGB."""
    cv2.setNumThreads(1)
    groups = dancer.dancer(pose(dancer.BUILD, stances()[number]))
    backdrop, floor = scenery.studio(STAGE.width, STAGE.height, FLOOR_EDGE)
    return picture(groups, STAGE, LAMPS, backdrop, floor, oversample)


def joints(skeleton: Skeleton) -> Floats:
    """(N, 2) pixels of ``LANDMARKS``."""
    at = dict(skeleton.at)
    at["nose"] = to_world(skeleton, NOSE_TIP)
    at["left eye"] = to_world(skeleton, vec(EYE_X, EYE_Y, 0.075))
    at["right eye"] = to_world(skeleton, vec(-EYE_X, EYE_Y, 0.075))
    return STAGE.pixels(np.stack([at[name] for name in LANDMARKS.values()]))


def truth() -> dict[str, object]:
    """What ``TRUTH`` holds."""
    moments = stances()
    places = np.stack([joints(pose(dancer.BUILD, s)) for s in moments])
    return {
        "fps": FPS,
        "width": STAGE.width,
        "height": STAGE.height,
        "landmarks": list(LANDMARKS),
        "joints": places.round(1).astype(float).round(1).tolist(),
        "mouth": [round(s.mouth, 3) for s in moments],
        "blink": [round(s.blink, 3) for s in moments],
    }


def performance() -> Iterator[NDArray[np.uint8]]:
    """All frames of the driving video, in order, rendered on every core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for number, rgb in enumerate(pool.map(frame, range(FRAMES))):
            print(f"\rframe {number + 1} of {FRAMES}", end="", flush=True)
            yield rgb
    print()


def write_clip(path: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """Encode the frames with the tune."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options=X264)
        video.width, video.height, video.pix_fmt = STAGE.width, STAGE.height, "yuv420p"
        sound = container.add_stream("aac", rate=RATE_HZ, layout="stereo")
        sound.bit_rate = 96_000
        for rgb in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(video.encode(None))
        samples = tune()
        for start in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[start : start + 1024].T), format="fltp", layout="stereo"
            )
            block.sample_rate, block.pts, block.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def main(folder: Path) -> None:
    cv2.imwrite(
        str(folder / CHARACTER),
        cv2.cvtColor(portrait(), cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_PNG_COMPRESSION, 9],
    )
    (folder / TRUTH).write_text(json.dumps(truth(), separators=(",", ":")) + "\n")
    write_clip(folder / CLIP, performance())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
