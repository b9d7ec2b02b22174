"""The matte of a learned network, for whoever installed the extra ``matting`` and pulled its weights.

The network tells what stands out in a picture; whose bones the tracker found tells which of that is the character.
IS-Net: Qin, Dai, Hu, Fan, Shao and Van Gool, "Highly Accurate Dichotomous Image Segmentation", ECCV 2022.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import BONES, Segment, capsules, sees, torso
from understudy.engines.puppet.foreground import estimate_foreground
from understudy.engines.puppet.matte import Matte, Matter, matte
from understudy.errors import ModelError
from understudy.extras import install
from understudy.request import Matting
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

EXTRA = install("matting")
RUNTIME = "onnxruntime"
SIDE = 1024  # pixels that IS-Net was trained on; taken where the network's file leaves it open
FOUND = 0.5  # a network whose surest pixel is below this has found nothing
SOLID = 0.3  # alpha from which on pixels hang together as one piece
BONE = 0.04  # half width of a bone, in torsos
ON_BONES = 0.01  # share of the bones in the best piece that another one must hold to be the character's, too
WISP = 0.25  # how far from the character's pieces faint alpha still is hair or fringe, in torsos
NEAR = 1.0  # how far about the bones the second look goes, in torsos
SMALL = 0.5  # share of the picture that this look may take to be worth it
CUT = 0.02  # share of a look's rim that may show the figure

Look = Callable[[Frame], Floats]
"""A picture (H, W, 3) to alpha (H, W) 0..1 of whatever stands out in it."""

Box = tuple[int, int, int, int]  # x0, y0, x1, y1


class SalientNetwork:
    """An ONNX network of the U2-Net and IS-Net kind: one picture in, its first output the alpha.

    It sees the picture squeezed to its own size, aspect ignored, in RGB -0.5..0.5. Loaded when first used.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        self._path = path
        self._threads = threads
        self._session: InferenceSession | None = None

    def __call__(self, rgb: Frame) -> Floats:
        height, width = rgb.shape[:2]
        try:
            session = self._loaded()
            asked = session.get_inputs()[0]
            tall, wide = (side if isinstance(side, int) else SIDE for side in asked.shape[2:])
            small = _resized(rgb, wide, tall).astype(np.float32) / 255 - 0.5
            planes = np.ascontiguousarray(small.transpose(2, 0, 1)[None])
            answer = session.run([session.get_outputs()[0].name], {asked.name: planes})[0]
            seen = np.asarray(answer, np.float32).reshape(answer.shape[-2:])
        except MemoryError:
            raise
        except Exception as error:  # of the runtime's own kinds, which share no base
            raise ModelError(
                "matting_failed",
                f"The network {self._path.name!r} does not run here: {str(error)[:300]}",
                fix=f"{EXTRA} Or go without it: --matting own.",
            ) from error
        low, high = float(seen.min()), float(seen.max())
        if not np.isfinite(low + high) or high < FOUND:
            return np.zeros((height, width), np.float32)
        if low > FOUND:  # all of it stands out
            return np.ones((height, width), np.float32)
        spread = (seen - low) / max(high - low, 1e-6)  # as the authors' own inference has it
        return np.asarray(np.clip(_resized(spread, width, height), 0, 1), np.float32)

    def _loaded(self) -> InferenceSession:
        if self._session is None:
            onnxruntime = runtime()
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        return self._session


class LearnedMatter:
    """A `Matter` that asks ``look``. Pictures with alpha, and characters that it does not see, are ``otherwise``'s.

    ``look`` may be any network: a session of rembg's would be
    ``LearnedMatter(lambda rgb: np.float32(rembg.remove(rgb, session=session, only_mask=True)) / 255)``.
    """

    def __init__(self, look: Look, *, otherwise: Matter = matte) -> None:
        self._look = look
        self._otherwise = otherwise

    def __call__(
        self, rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment
    ) -> Matte:
        if (
            given_alpha is None and np.isfinite(person.body[:, :2]).all()
        ):  # else nobody can say whose alpha it is
            alpha = only_figure(self._seen(rgb, person), person)
            if sees(alpha, person):
                return Matte(alpha, estimate_foreground(rgb, alpha))
        return self._otherwise(rgb, given_alpha, person, segment)

    def _seen(self, rgb: Frame, person: Person) -> Floats:
        """A near look at a small figure, if nothing of it lies outside; else the whole picture."""
        box = _near(rgb.shape, person)
        if box is not None:
            x0, y0, x1, y1 = box
            alpha = np.zeros(rgb.shape[:2], np.float32)
            alpha[y0:y1, x0:x1] = self._look(np.ascontiguousarray(rgb[y0:y1, x0:x1]))
            if alpha.max() > FOUND and _rim(alpha, box) <= CUT:
                return alpha
        return self._look(rgb)


def runtime() -> ModuleType:
    """onnxruntime, silenced. From 1.29 on its builds report what is run with it to their maker, and keep a number for
    the machine in its user's cache, unless this variable is set before it is loaded (its Privacy.md)."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    module: ModuleType = onnxruntime
    return module


def matter_for(matting: Matting, *, threads: int = 2) -> Matter:
    """The matter of that name.

    Raises ModelError (``matting_missing``, ``matting_corrupt``) where the learned one's parts are not here.
    """
    if matting is Matting.OWN:
        return matte
    if find_spec(RUNTIME) is None:
        raise ModelError(
            "matting_missing",
            f"The learned matte's part is not installed: {RUNTIME} missing.",
            value=RUNTIME,
            fix=EXTRA,
        )
    from understudy.engines.puppet.matting_weights import weights_path

    return LearnedMatter(SalientNetwork(weights_path(), threads=threads))


def only_figure(alpha: Floats, person: Person) -> Floats:
    """``alpha`` (H, W) of the pieces that the person's bones lie in, and of what is faint beside them.

    Whoever touches the character stays with it. The person's joints are finite.
    """
    joints = person.body[:, :2]
    unit = torso(joints)
    solid = (alpha > SOLID).astype(np.uint8)
    count, labels = cv2.connectedComponents(solid, connectivity=8)
    bones = capsules(alpha.shape, joints, list(BONES), BONE * unit)
    worth = np.bincount(labels[bones], minlength=count).astype(float)
    worth[0] = 0
    if not worth.any():
        return np.zeros_like(alpha)
    ours = (worth >= ON_BONES * worth.max())[labels] & (worth[labels] > 0)
    others = (solid > 0) & ~ours
    away = cv2.distanceTransform((~ours).astype(np.uint8), cv2.DIST_L2, 5)
    keep = away < WISP * unit
    if others.any():
        keep &= away <= cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, 5)
    return np.where(keep, alpha, 0).astype(np.float32)


def _near(shape: tuple[int, ...], person: Person) -> Box | None:
    """A box well about the bones; None where they were not found, or where it is most of the picture."""
    joints = person.body[:, :2]
    if not np.isfinite(joints).all():
        return None
    height, width = shape[:2]
    reach = NEAR * torso(joints)
    low = np.clip(np.floor(joints.min(axis=0) - reach), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(joints.max(axis=0) + reach), 0, (width, height)).astype(int)
    wide, tall = (high - low).tolist()
    if min(wide, tall) < 32 or wide * tall > SMALL * width * height:
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _rim(alpha: Floats, box: Box) -> float:
    """Share of the box's edges inside the picture that show the figure."""
    height, width = alpha.shape
    x0, y0, x1, y1 = box
    edges = [
        edge
        for inside, edge in (
            (x0 > 0, alpha[y0:y1, x0]),
            (x1 < width, alpha[y0:y1, x1 - 1]),
            (y0 > 0, alpha[y0, x0:x1]),
            (y1 < height, alpha[y1 - 1, x0:x1]),
        )
        if inside
    ]
    return float((np.concatenate(edges) > SOLID).mean()) if edges else 0.0


def _resized(picture: NDArray[np.uint8] | Floats, width: int, height: int) -> Floats:
    smaller = width * height < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how))
