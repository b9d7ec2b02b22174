"""The face rig: the character's face, ready to take on expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import nearest
from understudy.engines.puppet.drawn_eye import DrawnEye
from understudy.engines.puppet.drawn_mouth import find_drawn_mouth
from understudy.engines.puppet.eyes import find_eyes
from understudy.engines.puppet.gaze import Gaze
from understudy.engines.puppet.jaw import jaw_drop
from understudy.engines.puppet.lids import Lid
from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.look import Look
from understudy.engines.puppet.marked_mouth import drawn_reach, inked, marked_lips
from understudy.engines.puppet.mouth import Mouth
from understudy.engines.puppet.relief import Bytes, FaceFrame, Lattice
from understudy.engines.puppet.skin_points import INNER_LINES, PLACE, SKIN, places
from understudy.engines.puppet.skin_sheets import SkinSheets
from understudy.tracking.found_face import FoundFace
from understudy.tracking.motion import Floats

LARGEST = 1.2  # sides of the picture; a larger face is a mistake
TOGETHER = 16  # frames
SMALLEST_PX = 14.0  # distance of the outer eye corners below which a face has no room for an expression


@dataclass(frozen=True)
class FaceRig:
    """A face with lips and lids that move, in the reference picture's frame; `HeadRelief` turns it with the head.

    Displacements are given on a coarse lattice; a frame inverts them and samples the texture once. The cut between the
    lips makes two such maps, one for either side.
    """

    box: tuple[int, int, int, int]
    rest: Bytes  # (h, w, 4) in the box, as it was given
    texture: Bytes  # (H, W, 4) in the lattice's box, colours continued under transparent pixels
    lattice: Lattice
    identity: Floats  # (H, W, 2)
    frame: FaceFrame
    sheets: SkinSheets
    mouth: Mouth | None
    lids: tuple[Lid | DrawnEye | None, Lid | DrawnEye | None]
    irises: tuple[Gaze | None, Gaze | None]

    @classmethod
    def build(
        cls,
        texture_rgba: NDArray[np.uint8] | Floats,
        mesh: Floats | None,
        found: FoundFace | None = None,
    ) -> FaceRig | None:
        """Make the rig from the head's layer ``(H, W, 4)`` (straight colours) and its landmarks in the same pixels.

        ``found`` tells what of the mesh was seen: the rest does not move. None where there is no face that could
        move without harm.
        """
        if mesh is None or not np.isfinite(mesh).all():
            return None
        mesh = np.asarray(mesh, np.float32)
        layer = _as_bytes(texture_rgba)
        frame = FaceFrame.of(mesh)
        if frame.span < SMALLEST_PX or float(np.ptp(mesh[:, :2], axis=0).max()) > LARGEST * max(
            layer.shape[:2]
        ):
            return None
        lattice = _lattice(mesh, frame)
        texture, box, rest = _cut_out(layer, lattice)
        if texture is None:
            return None
        corner = np.array([lattice.x0, lattice.y0], np.float32)
        margin = lattice.margin(0.15 * frame.span)
        inner = FaceFrame(frame.origin - corner, frame.along, frame.span)
        local = _shifted(mesh, -corner)
        lips, lids, irises = _parts(texture, local, inner, found)
        drawn = found is not None and not found.human
        bent = found is not None and found.bent
        reach = drawn_reach(lips, inner) if bent and lips is not None else None
        sheets = SkinSheets.build(lips, mesh, frame, lattice, margin, reach)
        mouth = None
        if lips is not None:
            mouth = Mouth.build(lips, texture, mesh, frame, lattice)
            mouth = inked(mouth, lips, texture, inner) if drawn else mouth
        return cls(
            box=box,
            rest=rest,
            texture=texture,
            lattice=lattice,
            identity=lattice.pixels(),
            frame=frame,
            sheets=sheets,
            mouth=mouth,
            lids=lids,
            irises=irises,
        )

    def draw(self, look: Look) -> Bytes:
        """The face of one frame: ``(h, w, 4)`` RGBA for `box`, in the reference picture's frame."""
        return next(self.drawn([look]))

    def drawn(self, looks: Iterable[Look]) -> Iterator[Bytes]:
        """The faces of a performance, one by one: as `draw`, but the skin of `TOGETHER` of them is moved at once."""
        coming = iter(looks)
        while some := list(islice(coming, TOGETHER)):
            for look, moves in zip(some, self._displacements(some), strict=True):
                yield self._drawn(look, *moves)

    def _drawn(self, look: Look, above: Floats, below: Floats, skin: Floats | None) -> Bytes:
        if replace(look, yaw_deg=0.0, pitch_deg=0.0) == Look():
            return self.rest.copy()
        over = self.identity + self.lattice.full(self.lattice.back(above))
        patch = np.asarray(
            cv2.remap(self.texture, over, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
        if self.mouth is not None and skin is not None:
            under = self.identity + self.lattice.full(self.lattice.back(below))
            size = self.frame.span * self.sheets.reach
            lower = max(float(skin[places(INNER_LINES[1]), 1].max()), 0.0)
            gap = max(float(self.sheets.opening(skin).max()), 0.0)
            self.mouth.draw(
                patch,
                self.texture,
                over,
                under,
                jaw=self.frame.turn(0.0, size * jaw_drop(skin, gap)),
                gape=self.frame.span * gap,
                drop=size * lower,
                wider=size * float(skin[PLACE[291], 0] - skin[PLACE[61], 0]),
            )
        for iris in self.irises:
            if iris is not None and look.gaze != (0.0, 0.0):
                iris.draw(patch, self.texture, over, look.gaze)
        for lid, closing in zip(self.lids, look.lids, strict=True):
            if isinstance(lid, DrawnEye):
                lid.draw(patch, self.texture, over, closing, look.gaze)
            elif lid is not None and abs(closing) > 0.02:
                lid.draw(patch, self.texture, over, min(closing, 1.0))
        x0, y0 = self.box[0] - self.lattice.x0, self.box[1] - self.lattice.y0
        h, w = self.rest.shape[:2]
        return np.ascontiguousarray(patch[y0 : y0 + h, x0 : x0 + w])

    def _displacements(self, looks: list[Look]) -> Iterator[tuple[Floats, Floats, Floats | None]]:
        """For each look displacements above and below the cut, and the shifts of the skin points that are in them."""
        none = np.zeros((self.lattice.rows, self.lattice.columns, 2), np.float32)
        given = [look.skin for look in looks if look.skin]
        moved: Iterator[tuple[Floats, Floats, Floats]] = iter(())
        if given:
            skins = self.sheets.parted(np.array(given, np.float32).reshape(-1, len(SKIN), 2))
            turned = self.frame.turn(skins[..., 0], skins[..., 1])
            moved = zip(*self.sheets.moved(turned), skins, strict=True)
        for look in looks:
            yield next(moved) if look.skin else (none, none, None)


def _parts(
    texture: Bytes, mesh: Floats, frame: FaceFrame, found: FoundFace | None
) -> tuple[Lips | None, tuple[Lid | DrawnEye | None, Lid | DrawnEye | None], tuple[Gaze | None, Gaze | None]]:
    """Lips, lids and irises of the face; ``mesh`` and ``frame`` are in the texture's own pixels."""
    if found is None or found.human:
        lips = Lips.find(texture, mesh, frame)
        trusted = lips is not None and not (found is not None and found.refitted)
        eyes = find_eyes(texture, mesh, frame, trusted=trusted)
        lips = lips or find_drawn_mouth(texture, mesh, frame)
        return lips, Lid.pair(eyes, texture, frame), Gaze.pair(eyes, texture, mesh, frame)
    lips = marked_lips(texture, mesh, frame) if found.mouth else None
    if not found.drawn:
        return lips, (None, None), (None, None)
    return lips, DrawnEye.pair(texture, mesh, frame), (None, None)


def _as_bytes(texture: NDArray[np.uint8] | Floats) -> Bytes:
    if texture.dtype == np.uint8:
        return np.asarray(texture, np.uint8)
    top = 255.0 if float(texture.max(initial=0.0)) > 1.5 else 1.0
    return np.asarray(np.clip(texture * (255.0 / top) + 0.5, 0, 255), np.uint8)


def _shifted(mesh: Floats, by: Floats) -> Floats:
    out = mesh.copy()
    out[:, :2] += by
    return out


def _lattice(mesh: Floats, frame: FaceFrame) -> Lattice:
    span = frame.span
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    down = frame.turn(0.0, 1.0)
    reach = np.stack([low - 0.32 * span, high + 0.32 * span, mesh[152, :2] + 0.8 * span * down])
    x0, y0 = np.floor(reach.min(axis=0)).astype(int)
    x1, y1 = np.ceil(reach.max(axis=0)).astype(int)
    step = max(round(span / 24), 2)
    return Lattice(int(x0), int(y0), step, -(-int(x1 - x0) // step), -(-int(y1 - y0) // step))


def _cut_out(layer: Bytes, lattice: Lattice) -> tuple[Bytes | None, tuple[int, int, int, int], Bytes]:
    """The lattice's box of the layer, continued beyond the picture and under transparent pixels."""
    height, width = layer.shape[:2]
    x0, y0 = max(lattice.x0, 0), max(lattice.y0, 0)
    x1, y1 = min(lattice.x0 + lattice.width, width), min(lattice.y0 + lattice.height, height)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None, (0, 0, 0, 0), layer[:0, :0]
    rest = layer[y0:y1, x0:x1].copy()
    texture = rest.copy()
    clear = texture[..., 3] == 0
    if clear.any() and not clear.all():
        texture[..., :3] = nearest(texture[..., :3], ~clear)
    texture = cv2.copyMakeBorder(
        texture,
        y0 - lattice.y0,
        lattice.y0 + lattice.height - y1,
        x0 - lattice.x0,
        lattice.x0 + lattice.width - x1,
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(texture, np.uint8), (x0, y0, x1, y1), rest
