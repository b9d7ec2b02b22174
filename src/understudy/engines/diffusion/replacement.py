"""What Wan2.2-Animate is given to put the character into the driving video's scene, frame by frame.

The four arrays of `spec.WAN_ANIMATE_1`. How masks and background meet in the model: diffusers' WanAnimatePipeline, mode
"replace": the mask is white where it draws, the background shows the scene and is black there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.face_crops import FaceCrops
from understudy.engines.diffusion.performer_mask import PerformerMasks
from understudy.engines.diffusion.pose_drawing import Skeleton
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.tracker import Frame

Entry = dict[str, NDArray[np.uint8]]


def replacement_entries(
    frames: Iterable[tuple[int, Frame, Frame]], motion: Motion, affine: Floats, *, threads: int = 1
) -> Iterator[Entry]:
    """The entries "pose", "face", "background" and "mask" of each of the model's frames.

    ``frames`` are, in order: the number in ``motion`` of the driving video's frame that is shown, that frame at the
    model's size (height, width, 3), and at its own. ``affine`` (2, 3) leads from the pixels of ``motion`` to the
    model's. A number that comes again gives the same entry again. Nothing of the clip is held.
    """
    skeleton, faces = Skeleton.of(motion), FaceCrops(motion)
    masks = PerformerMasks(motion, affine, threads=threads)
    last, entry = -1, Entry()
    for t, native, original in frames:
        if t != last:
            height, width = native.shape[:2]
            mask = masks.mask(native, t)
            # A pose that stayed while the performer is gone has nowhere to be drawn.
            pose = skeleton.drawn(t, affine, width, height) if mask.any() else np.zeros_like(native)
            entry = {
                "pose": pose,
                "face": faces.picture(original, t),
                "background": np.asarray(
                    cv2.bitwise_and(native, native, mask=cv2.bitwise_not(mask)), np.uint8
                ),
                "mask": mask,
            }
            last = t
        yield entry
