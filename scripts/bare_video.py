"""Whether a video is a good one: `bare_video.py VIDEO` decodes it and fails where it is not what the demo makes."""

from __future__ import annotations

import sys

import av
import numpy as np

LEAST_FRAMES = 100
LEAST_SIDE = 720  # of mode std
LEAST_DEVIATION = 20.0  # of a frame's values: a black or grey frame has none
LEAST_MOVEMENT = 1.0  # mean difference of two frames far apart: a still picture has none


def main() -> None:
    with av.open(sys.argv[1]) as container:
        stream = container.streams.video[0]
        sound = container.streams.audio[0].codec_context.name if container.streams.audio else "none"
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
        size, codec, rate = (stream.width, stream.height), stream.codec_context.name, stream.average_rate
    first, last = frames[0].astype(np.float32), frames[len(frames) // 2].astype(np.float32)
    movement, deviation = float(np.abs(first - last).mean()), float(first.std())
    print(f"{codec} {size[0]}x{size[1]}, {len(frames)} frames at {rate}, sound {sound}")
    print(f"deviation {deviation:.1f}, movement {movement:.1f}")
    good = (
        len(frames) >= LEAST_FRAMES
        and min(size) >= LEAST_SIDE
        and deviation >= LEAST_DEVIATION
        and movement >= LEAST_MOVEMENT
        and sound != "none"
    )
    if not good:
        sys.exit("verdict: failed, this is no good video")
    print(f"figure: video {codec}, {size[0]}x{size[1]}, {len(frames)} frames")


if __name__ == "__main__":
    main()
