"""Eyes: where they open in the reference, for a mesh that knows people better than drawings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking.motion import Floats

# Lines of the eyes from corner to corner, own left and own right, in the published numbering of Face Mesh.
UPPER = ((263, 466, 388, 387, 386, 385, 384, 398, 362), (33, 246, 161, 160, 159, 158, 157, 173, 133))
LOWER = ((263, 249, 390, 373, 374, 380, 381, 382, 362), (33, 7, 163, 144, 145, 153, 154, 155, 133))
BROW = ((276, 283, 282, 295, 285), (46, 53, 52, 65, 55))

FOREIGN = 14.0  # difference in hue (a, b of Lab) to the cheek, below an eye, at which it is still the eye
LEFT = 19.0  # difference (Lab) of what would be left below closed lids to the skin under it: the eye goes on there
LONGER = 0.22  # of the eye's width: how far beyond the mesh's corners an eye may go on
SHOWN = 0.3  # of that length: eyeball, the rest is lids
DARK = 0.3  # lightness of an eye over that of the cheeks
COVERED = 14.0  # range of lightness (of 100) in an eye below which it is covered, shut or too dark to move


@dataclass(frozen=True)
class Eye:
    """An eye's opening in the face's frame, pixels. Lines run with rising u from corner to corner."""

    u: Floats  # (N,)
    upper: Floats  # (N,) v of the upper lid's dark edge
    lower: Floats  # (N,) v of the lower lid's edge
    brow: Floats  # (N,) v of the brow's lower side
    corners: tuple[float, float]  # u between which the eyeball shows; beyond are the lids' corners

    @property
    def width(self) -> float:
        return float(self.u[-1] - self.u[0])

    @property
    def tall(self) -> float:
        return float((self.lower - self.upper).max())


def find_eyes(
    texture: Bytes, mesh: Floats, frame: FaceFrame, *, trusted: bool = True
) -> tuple[Eye | None, Eye | None]:
    """The own left and right eye; None for an eye that cannot be closed without harm (sunglasses, shut, tiny).

    ``mesh`` and ``frame`` are in the texture's own pixels. The mesh puts human eyes into drawings whose eyes are
    larger: where the picture goes on looking like eye below both of the mesh's eyes and then ends at an edge, the
    eyes grow to that edge. A mesh that is not ``trusted`` (its mouth lay on bare skin) counts only there. Then the
    lines are moved to where the picture has the eye's lower edge, its ends and the dark line of the lashes. Both eyes
    are asked together: one alone is easily led astray by a pupil, a fold or a strand of hair.
    """
    lab = softened(texture, frame)
    eyes = tuple(from_mesh(mesh, side, frame) for side in (0, 1))
    if covered(lab, eyes, frame):
        return None, None
    ranges = [_lightness_range(lab, e, frame) for e in eyes]
    grown = [_growth(lab, e, frame) for e in eyes]
    if all(g is not None for g in grown) and min(ranges) > 18.0:
        eyes = tuple(_grow(e, g) for e, g in zip(eyes, grown, strict=True) if g is not None)
    elif not trusted or sum(_foreign_below(lab, e, frame) for e in eyes) / 2 > FOREIGN:
        return None, None
    else:
        deeper = _lower_offset(lab, eyes, frame)
        eyes = _lengthened(lab, tuple(_deepened(e, deeper) for e in eyes), frame)
        if sum(_left_below(lab, e, frame) for e in eyes) / 2 > LEFT:
            return None, None
    offset = _lash_offset(lab[..., 0], eyes, frame)
    moved = []
    for eye, light in zip(eyes, ranges, strict=True):
        bow = 1.0 - np.linspace(-1, 1, len(eye.u)) ** 2
        upper = np.minimum(eye.upper + offset * eye.tall * bow, eye.lower).astype(np.float32)
        moved.append(replace(eye, upper=upper) if light > 0.5 * COVERED else None)
    return moved[0], moved[1]


def softened(texture: Bytes, frame: FaceFrame) -> Floats:
    """(H, W, 3) the texture in Lab, without its grain."""
    lab = cv2.cvtColor(texture[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), max(0.01 * frame.span, 0.5)), np.float32)


def covered(lab: Floats, eyes: tuple[Eye, ...], frame: FaceFrame) -> bool:
    """Whether the mesh's eyes are too small, or show nothing: shut, in deep shade, behind sunglasses."""
    if min(e.width for e in eyes) < 5.0 or min(e.tall for e in eyes) < 1.2:
        return True
    return sum(_lightness_range(lab, e, frame) for e in eyes) / 2 < COVERED or _in_the_dark(lab, eyes, frame)


def from_mesh(mesh: Floats, side: int, frame: FaceFrame) -> Eye:
    """The own left (0) or right (1) eye as the mesh has it."""
    upper, lower = frame.into(mesh[list(UPPER[side])]), frame.into(mesh[list(LOWER[side])])
    u = np.linspace(upper[:, 0].min(), upper[:, 0].max(), 41).astype(np.float32)
    top = _line(upper, u)
    brow = _line(frame.into(mesh[list(BROW[side])]), u)
    return Eye(u, top, np.maximum(_line(lower, u), top), brow, (float(u[0]), float(u[-1])))


def look(picture: Floats, frame: FaceFrame, u: Floats, v: Floats) -> Floats:
    """(rows, N, channels) the picture at places of the face's frame."""
    at = frame.turn(*np.broadcast_arrays(u[None], v)) + frame.origin
    return np.asarray(cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _core(eye: Eye) -> slice:
    n = len(eye.u)
    return slice(n // 5, n - n // 5)


def _lightness_range(lab: Floats, eye: Eye, frame: FaceFrame) -> float:
    core = _core(eye)
    top, tall = eye.upper[core], (eye.lower - eye.upper)[core]
    depth = np.linspace(0.1, 0.9, 9, dtype=np.float32)[:, None]
    return float(np.ptp(look(lab, frame, eye.u[core], top + depth * tall)[..., 0]))


def cheek(lab: Floats, eye: Eye, frame: FaceFrame) -> Floats:
    """(3,) the skin's colour some way below the eye."""
    core = _core(eye)
    centre = float((eye.upper + eye.lower)[core].mean()) / 2
    v = centre + np.linspace(0.30, 0.38, 7, dtype=np.float32)[:, None] * frame.span
    seen = look(lab, frame, eye.u[core], np.broadcast_to(v, (7, len(eye.u[core]))))
    return np.asarray(np.median(seen.reshape(-1, 3), axis=0), np.float32)


def _in_the_dark(lab: Floats, eyes: tuple[Eye, ...], frame: FaceFrame) -> bool:
    """Whether even the lightest parts of both eyes are far darker than the cheeks: sunglasses, deep shade."""
    light = []
    for eye in eyes:
        core, depth = _core(eye), np.linspace(0.1, 0.9, 9, dtype=np.float32)[:, None]
        inside = look(lab, frame, eye.u[core], eye.upper[core] + depth * (eye.lower - eye.upper)[core])
        light.append(float(np.quantile(inside[..., 0], 0.85)))
    return sum(light) / 2 < DARK * max(float(cheek(lab, eye, frame)[0]) for eye in eyes)


def _foreign_below(lab: Floats, eye: Eye, frame: FaceFrame) -> float:
    """How foreign to the cheek's hue the strip just below the mesh's eye is: shade keeps the hue, an iris does not."""
    core = _core(eye)
    v = eye.lower[core] + np.linspace(0.15, 0.5, 6, dtype=np.float32)[:, None] * eye.tall
    apart = (look(lab, frame, eye.u[core], v) - cheek(lab, eye, frame))[..., 1:]
    return float(np.median(np.linalg.norm(apart, axis=-1)))


def _left_below(lab: Floats, eye: Eye, frame: FaceFrame) -> float:
    """How foreign the strip just below the eye's lower line is to the skin further down."""
    core = _core(eye)
    u, low = eye.u[core], eye.lower[core]
    below, strip = (
        look(lab, frame, u, low + np.linspace(*reach, 8, dtype=np.float32)[:, None] * eye.tall)
        for reach in ((0.6, 1.0), (0.12, 0.4))
    )
    skin = np.median(below.reshape(-1, 3), axis=0)
    return float(np.median(np.linalg.norm(strip - skin, axis=-1)))


def _growth(lab: Floats, eye: Eye, frame: FaceFrame) -> tuple[float, float] | None:
    """How far the eye goes on below and above the mesh's, in pixels, or None where it ends with the mesh's."""
    core = _core(eye)
    u, top, bottom, tall = eye.u[core], eye.upper[core], eye.lower[core], eye.tall
    skin = cheek(lab, eye, frame)
    depth = np.linspace(0.1, 0.9, 9, dtype=np.float32)[:, None]
    inside = np.linalg.norm(look(lab, frame, u, top + depth * (bottom - top)) - skin, axis=-1)
    limit = max(10.0, 0.45 * float(np.median(inside)))

    def ends(start: Floats, way: float) -> tuple[Floats, Floats, Floats]:
        far = np.linspace(0.0, 0.30 * frame.span, 40, dtype=np.float32)
        apart = np.linalg.norm(look(lab, frame, u, start + way * far[:, None]) - skin, axis=-1)
        is_skin = apart <= limit
        end = np.where(is_skin.any(axis=0), is_skin.argmax(axis=0), len(far) - 1)
        return far[end], apart, far

    down, apart, far = ends(bottom, 1.0)
    near = (far > 0.15 * tall) & (far < 0.45 * tall)
    alike = float(np.median(apart[near])) / max(float(np.median(inside)), 1.0)
    spread = float(np.quantile(down, 0.8) - np.quantile(down, 0.2)) / tall
    if alike < 0.68 or float(np.median(down)) < 0.5 * tall or spread > 0.45:
        return None
    up = min(float(np.median(ends(top, -1.0)[0])), 1.2 * tall)
    return float(np.median(down)), up


def _grow(eye: Eye, by: tuple[float, float]) -> Eye:
    """The eye reaching further down and up, and wider in the same measure but for a little."""
    down, up = by
    t = np.linspace(-1, 1, len(eye.u)).astype(np.float32)
    wider = 1.0 + 0.25 * (down + up) / eye.tall
    middle = float(eye.u.mean())
    arch = np.sqrt(np.clip(1.0 - t * t, 0.0, 1.0))
    u = (middle + (eye.u - middle) * wider).astype(np.float32)
    return Eye(
        u,
        (eye.upper - up * arch).astype(np.float32),
        (eye.lower + down * arch).astype(np.float32),
        (np.minimum(eye.brow, eye.upper - 1.1 * up)).astype(np.float32),
        (float(u[0]), float(u[-1])),
    )


def _lash_offset(light: Floats, eyes: tuple[Eye, ...], frame: FaceFrame) -> float:
    """How far below the given line the upper lids' dark edge lies in the picture, over the eyes' opening."""
    offsets = np.linspace(-0.32, 0.18, 26).astype(np.float32)
    score = -1.2 * np.abs(offsets[3:-3] + 0.1)  # the mesh draws the lid a little low
    for eye in eyes:
        bow = (1.0 - np.linspace(-1, 1, len(eye.u)) ** 2).astype(np.float32)
        core = slice(len(bow) // 8, len(bow) - len(bow) // 8)
        v = eye.upper[core] + (offsets * eye.tall)[:, None] * bow[core]
        shade = look(light, frame, eye.u[core], v).mean(axis=1)
        darker = shade[:-6] - shade[6:]  # from skin to lash, over 0.12 of the opening
        score = score + 0.5 * darker / max(float(np.ptp(shade)), 2.5)
    return float(offsets[3:-3][int(score.argmax())])


def _lower_offset(lab: Floats, eyes: tuple[Eye, ...], frame: FaceFrame) -> float:
    """How far below the given line the eyes end and the skin begins in the picture, over the eyes' opening."""
    offsets = np.linspace(-0.18, 0.6, 40).astype(np.float32)
    score = -0.5 * np.abs(offsets[3:-3] - 0.05)
    for eye in eyes:
        core, bow = _core(eye), (1.0 - np.linspace(-1, 1, len(eye.u)) ** 2).astype(np.float32)
        u, low, bow = eye.u[core], eye.lower[core], bow[core]
        below = low + np.linspace(0.7, 1.0, 5, dtype=np.float32)[:, None] * eye.tall
        skin = np.median(look(lab, frame, u, below).reshape(-1, 3), axis=0)
        apart = np.linalg.norm(look(lab, frame, u, low + (offsets * eye.tall)[:, None] * bow) - skin, axis=-1)
        apart = apart.mean(axis=1)
        drop = apart[:-6] - apart[6:]
        score = score + 0.5 * drop / max(float(np.ptp(apart)), 6.0)
    return float(offsets[3:-3][int(score.argmax())])


def _deepened(eye: Eye, offset: float) -> Eye:
    bow = 1.0 - np.linspace(-1, 1, len(eye.u)) ** 2
    lower = np.maximum(eye.lower + offset * eye.tall * bow, eye.upper).astype(np.float32)
    return replace(eye, lower=lower)


def _lengthened(lab: Floats, eyes: tuple[Eye, ...], frame: FaceFrame) -> tuple[Eye, ...]:
    """The eyes as long as the picture has them, beyond the mesh's corners; both in the same measure."""
    ends = [(0, -1.0), (-1, 1.0)]
    beyond = [[_beyond(lab, eye, frame, end, way) for end, way in ends] for eye in eyes]
    inner, outer = max(beyond[0][0], beyond[1][1]), max(beyond[0][1], beyond[1][0])
    longer = []
    for eye, (before, after) in zip(eyes, ((inner, outer), (outer, inner)), strict=True):
        t = np.linspace(-before, 1.0 + after, len(eye.u), dtype=np.float32)
        corners = (
            float(eye.u[0]) - SHOWN * before * eye.width,
            float(eye.u[-1]) + SHOWN * after * eye.width,
        )
        longer.append(Eye(eye.u[0] + t * eye.width, eye.upper, eye.lower, eye.brow, corners))
    return tuple(longer)


def _beyond(lab: Floats, eye: Eye, frame: FaceFrame, end: int, way: float) -> float:
    """How far the eye goes on beyond a corner until there is skin, in parts of its width."""
    middle, n = (eye.upper + eye.lower) / 2, len(eye.u)
    inner = n // 6 if end == 0 else n - 1 - n // 6
    slope = float(middle[end] - middle[inner]) / max(abs(float(eye.u[end] - eye.u[inner])), 1e-3)
    far = np.linspace(0.0, 0.35, 22, dtype=np.float32)
    rows = np.linspace(-0.1, 0.1, 3, dtype=np.float32)[:, None] * eye.tall
    reach = far * eye.width
    seen = look(lab, frame, eye.u[end] + way * reach, middle[end] + slope * reach + rows)
    skin = np.median(seen[:, -5:].reshape(-1, 3), axis=0)
    apart = np.linalg.norm(seen - skin, axis=-1).mean(axis=0)
    is_skin = apart < max(0.4 * float(apart.max()), 6.0)
    return min(float(far[int(is_skin.argmax())]), LONGER)


def _line(points: Floats, u: Floats) -> Floats:
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(u, points[order, 0], points[order, 1]), np.float32)
