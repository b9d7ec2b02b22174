"""A motion made by hand: somebody stands in the middle and sways."""

from __future__ import annotations

import numpy as np

from understudy.tracking.motion import BODY, FACE, HAND, Motion


def performance(frames: int, fps: float, width: int = 340, height: int = 340) -> Motion:
    """``frames`` of a body that is tracked throughout."""
    times = np.arange(frames, dtype=np.float64) / fps
    sway = (0.02 * width * np.sin(times))[:, None]
    noise = np.random.default_rng(1)
    body = np.zeros((frames, BODY, 3), np.float32)
    body[..., 0] = noise.uniform(0.3, 0.7, BODY) * width + sway
    body[..., 1] = np.linspace(0.1, 0.9, BODY) * height
    world = (body - body[:, 23:25].mean(axis=1, keepdims=True)) / height * 1.7
    return Motion(
        width=width,
        height=height,
        times_s=times.astype(np.float32),
        body=body,
        visibility=np.ones((frames, BODY), np.float32),
        world=world.astype(np.float32),
        hands=np.full((frames, 2, HAND, 3), np.nan, np.float32),
        hand_score=np.zeros((frames, 2), np.float32),
        face=np.full((frames, FACE, 3), np.nan, np.float32),
        face_score=np.zeros(frames, np.float32),
    )
