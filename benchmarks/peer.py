"""Animated Drawings, drawing its own example: run by benchmarks/performance.py in that project's own Python.

    PYTHON peer.py CHECKOUT OUT

One line of JSON: the frames, the seconds of drawing and encoding them, and those of the whole process. Its own
settings but for the size, and the off-screen window.
"""

import json
import os
import sys
import time
from pathlib import Path

BEGUN = time.perf_counter()
SIZE = [1280, 720]
MOTION, RETARGET = "jumping_jacks", "cmu1_pfp"


def main() -> None:
    checkout, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    os.environ["PYOPENGL_PLATFORM"] = "osmesa"
    import cv2
    import yaml
    from animated_drawings import render
    from animated_drawings.controller.video_render_controller import VideoRenderController

    examples = checkout / "examples"
    video, settings = out / "peer.mp4", out / "peer.yaml"
    character = {
        "character_cfg": str(examples / "characters" / "char1" / "char_cfg.yaml"),
        "motion_cfg": str(examples / "config" / "motion" / f"{MOTION}.yaml"),
        "retarget_cfg": str(examples / "config" / "retarget" / f"{RETARGET}.yaml"),
    }
    asked = {
        "scene": {"ANIMATED_CHARACTERS": [character]},
        "view": {
            "USE_MESA": True,
            "WINDOW_DIMENSIONS": SIZE,
            "CAMERA_POS": [2.0, 0.7, 8.0],
            "CAMERA_FWD": [0.0, 0.5, 8.0],
        },
        "controller": {
            "MODE": "video_render",
            "OUTPUT_VIDEO_PATH": str(video),
            "OUTPUT_VIDEO_CODEC": "mp4v",
        },
    }
    settings.write_text(yaml.safe_dump(asked))
    drawing_s = []
    run = VideoRenderController.run

    def timed(self: VideoRenderController) -> None:
        begun = time.perf_counter()
        run(self)
        drawing_s.append(time.perf_counter() - begun)

    VideoRenderController.run = timed
    render.start(str(settings))
    whole_s = time.perf_counter() - BEGUN
    frames = int(cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT))
    print(json.dumps({"frames": frames, "drawing_s": drawing_s[0], "whole_s": whole_s}))


if __name__ == "__main__":
    main()
