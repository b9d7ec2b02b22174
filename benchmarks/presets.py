"""What the encoder's settings cost: processor time against size and fidelity, on frames that the puppet drew.

    python benchmarks/presets.py                              the sample
    python benchmarks/presets.py --image A.png --video B.mp4 --frames 100

Every setting encodes the same frames with one thread. Fidelity is the luma's peak signal-to-noise ratio against the
frames as they are handed to the encoder. A Markdown table goes to the terminal.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.engine import PuppetEngine
from understudy.media import encode
from understudy.media.clip import frame_size, probe, read_frames
from understudy.media.picture import load_picture
from understudy.request import MotionRequest
from understudy.sample import character_path, clip_path
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.mediapipe_tracker import MediaPipeTracker

Frames = list[NDArray[np.uint8]]

OWN = encode.X264
SETTINGS: dict[str, dict[str, str]] = {
    "as it is": OWN,
    "ultrafast": {"preset": "ultrafast", "crf": "16", "bf": "0"},
    "superfast": {"preset": "superfast", "crf": "16", "bf": "0"},
    "veryfast": {"preset": "veryfast", "crf": "16", "bf": "0"},
    "faster": {"preset": "faster", "crf": "16", "bf": "0"},
    "medium": {"preset": "medium", "crf": "16", "bf": "0"},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, default=character_path())
    parser.add_argument("--video", type=Path, default=clip_path())
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    frames = drawn(chosen.image, chosen.video, chosen.frames)
    print(f"{len(frames)} frames of {frames[0].shape[1]} x {frames[0].shape[0]}, one thread\n")
    print("| setting | ms a frame | Mbit/s at 30 frames a second | luma PSNR dB |\n|---|---|---|---|")
    for name, settings in SETTINGS.items():
        ms, megabits, fidelity = encoded(frames, settings, chosen.runs)
        print(f"| {name} | {ms:.1f} | {megabits:.2f} | {fidelity:.1f} |")


def drawn(image: Path, video: Path, count: int) -> Frames:
    """The first frames of a performance, each an array of its own."""
    request = MotionRequest(image=image, video=video, output=Path("unused.mp4"), limits=False)
    clip = probe(video)
    frames = islice(read_frames(clip, short_side_max=720), count)
    motion = track_clip(frames, *frame_size(clip, 720), MediaPipeTracker())
    engine = PuppetEngine()
    ready = engine.prepare(load_picture(image, limits=False), request)
    return [frame.copy() for frame in engine.perform(ready, motion, request).frames]


def encoded(frames: Frames, settings: dict[str, str], runs: int) -> tuple[float, float, float]:
    """Processor milliseconds a frame (conversion included), megabits a second, dB."""
    encode.X264 = settings
    height, width = frames[0].shape[:2]
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.mp4"
        for _ in range(runs):
            begun = time.process_time()
            with encode.VideoWriter(path, width, height, Fraction(30), threads=1) as writer:
                for frame in frames:
                    writer.write(frame)
            spent.append((time.process_time() - begun) / len(frames))
        size = path.stat().st_size
        with av.open(str(path)) as container:
            errors = [
                np.mean((shown.to_ndarray()[:height].astype(np.float32) - luma(frame)) ** 2)
                for shown, frame in zip(container.decode(video=0), frames, strict=True)
            ]
    fidelity = 10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9))
    return 1e3 * statistics.median(spent), size * 8 * 30 / len(frames) / 1e6, float(fidelity)


def luma(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """BT.709 in limited range, as the file holds it."""
    return (16 + 219 / 255 * (frame @ np.array([0.2126, 0.7152, 0.0722]))).astype(np.float32)


if __name__ == "__main__":
    main()
