"""The puppet engine: the character cut into layers that follow the performer. Runs on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat, tee

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.capabilities import PUPPET
from understudy.engines.engine import Performance
from understudy.engines.puppet.areas import box_about
from understudy.engines.puppet.background import clean_background
from understudy.engines.puppet.box import common, empty
from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.expression import expressions
from understudy.engines.puppet.face_rig import FaceRig
from understudy.engines.puppet.foot_matte import with_sharp_feet
from understudy.engines.puppet.head_relief import HeadRelief
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.look import Expression, Look
from understudy.engines.puppet.matte import Matte, Matter, matte
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.retarget import home, retarget
from understudy.engines.puppet.rig import Rig, build_rig
from understudy.engines.puppet.toe import with_true_feet
from understudy.media.picture import Picture, output_size
from understudy.progress import Progress, silent
from understudy.request import LeftOut, MotionRequest, Orientation
from understudy.tracking.character import Character
from understudy.tracking.face_template import at_rest
from understudy.tracking.finding import find_character
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.segmentation import Segmentation
from understudy.tracking.tracker import Person, Tracker

SURE_FACE = 0.6  # a face score; masks and helmets score below
SURE_HAND = 0.7  # a hand score; mittens and paws score below


@dataclass(frozen=True)
class Puppet:
    """A character ready to perform: what `understudy rig` shows."""

    picture: Picture  # at output size
    character: Character
    rig: Rig
    face: FaceRig | None
    matte: Matte
    head: HeadRelief | None = None

    @property
    def reference(self) -> NDArray[np.uint8]:
        """(H, W, 3) the reference image as it is drawn upon: on white where it is transparent."""
        return self.picture.on_white()


class PuppetEngine:
    """Animates a cut-out of the reference image. ``tracker`` and ``matter`` default to the project's own."""

    capabilities = PUPPET

    def __init__(self, *, tracker: Tracker | None = None, matter: Matter = matte, threads: int = 2) -> None:
        self._tracker = tracker
        self._matter = matter
        self._threads = threads

    def prepare(self, picture: Picture, request: MotionRequest, progress: Progress = silent) -> Puppet:
        """Find the character and build its rig. Raises CharacterError where there is none."""
        steps = 4
        progress("rig", 0, steps)
        width, height = output_size(picture, request.mode)
        found = self._found(picture, request)
        progress("rig", 1, steps)
        small = resized(picture, width, height)
        character = found.scaled(width / picture.width)
        segment = Segmentation(threads=self._threads).segment
        cut = self._matter(small.rgb, small.alpha, _masked(character), segment)
        if small.alpha is None:
            cut = with_sharp_feet(cut, small.rgb, character)
        character = with_true_feet(character, cut.alpha)
        progress("rig", 2, steps)
        body = character.person.body
        joints, depth = body[:, :2].astype(np.float32), body[:, 2].astype(np.float32)
        fill = partial(clean_background, small.on_white(), cut.alpha)
        # The cut and the background need the matte and not each other, and neither keeps two cores busy. An error in
        # the cut waits for the fill, a second or two.
        with ThreadPoolExecutor(max_workers=1) as aside:
            filling = aside.submit(fill) if self._threads > 1 else None
            hands = _hands(character)
            rig = build_rig(cut.alpha, cut.foreground, small.rgb, joints, character.shown, depth, hands)
            face, head = _face(rig, character), _head(rig, character)
            progress("rig", 3, steps)
            rig = replace(rig, background=fill() if filling is None else filling.result())
        progress("rig", 4, steps)
        return Puppet(small, character, rig, face, cut, head)

    def _found(self, picture: Picture, request: MotionRequest) -> Character:
        """The character in the picture. The networks that look for it are gone again afterwards: they take as much
        memory as the rest of the rig."""
        tracker = self._tracker or MediaPipeTracker(threads=self._threads)
        return find_character(picture, tracker, joints=request.joints)

    def perform(
        self, ready: Puppet, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        rig, character = ready.rig, ready.character
        poses = retarget(character, motion, request.orientation, rig.width, rig.height)
        limbs = tuple(limb.limb for limb in rig.limbs)
        order = drawing_order(poses, limbs, rig.joints, motion.fps, character.person.body[:, 2])
        living = ready.face is not None or ready.head is not None
        looks = None
        if living:
            looks = expressions(
                motion,
                _at_rest(character),
                human=_human(character),
                facing=request.orientation is Orientation.VIDEO,
                home=home(character, motion, rig.height),
            )
        frames = _draw(Painter(rig, poses, order), ready, looks, len(motion))
        return Performance(rig.width, rig.height, frames, character.found_by, _left_out(ready, request))


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture at another size."""
    how = cv2.INTER_AREA if width < picture.width else cv2.INTER_CUBIC
    rgb = np.asarray(cv2.resize(picture.rgb, (width, height), interpolation=how), np.uint8)
    alpha = picture.alpha
    if alpha is not None:
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=how), np.uint8)
    return replace(picture, rgb=rgb, alpha=alpha)


def _face(rig: Rig, character: Character) -> FaceRig | None:
    """The living face, in the trunk layer's own pixels put back into the picture's."""
    mesh = _mesh(character)
    if mesh is None:
        return None
    layer = _trunk_in_picture(rig)
    box = box_about(layer[..., 3] > 0, 0)
    seen = layer[box]
    straight = seen[..., :3].astype(np.float32) * 255 / np.maximum(seen[..., 3:], np.float32(1))
    seen[..., :3] = np.rint(np.minimum(straight, 255))
    return FaceRig.build(layer, mesh, character.face)


def _head(rig: Rig, character: Character) -> HeadRelief | None:
    """The head as a volume that turns, where its face was found or its landmarks."""
    alpha = _trunk_in_picture(rig)[..., 3].astype(np.float32) / 255
    joints = None if character.found_by == "silhouette" else character.person.body[:, :2]
    return HeadRelief.build(_mesh(character), joints, alpha, human=_human(character))


def _trunk_in_picture(rig: Rig) -> NDArray[np.uint8]:
    """(H, W, 4) the trunk's layer, premultiplied, as it lies in the reference picture."""
    layer = np.zeros((rig.height, rig.width, 4), np.uint8)
    texture, (x, y) = rig.trunk.texture, rig.trunk.origin
    top, left = max(-y, 0), max(-x, 0)
    bottom, right = min(texture.shape[0], rig.height - y), min(texture.shape[1], rig.width - x)
    layer[y + top : y + bottom, x + left : x + right] = texture[top:bottom, left:right]
    return layer


def _masked(character: Character) -> Person:
    """The person for the matter; where the tracker found nobody, the silhouette is what is known of it."""
    guessed = character.found_by in ("silhouette", "joints_file") and float(character.silhouette.min()) < 0.5
    return replace(character.person, mask=character.silhouette) if guessed else character.person


def _mesh(character: Character) -> Floats | None:
    """The character's face mesh, where it can be believed."""
    if character.face is not None:
        return character.face.mesh
    person = character.person
    return person.face if person.face_score >= SURE_FACE and np.isfinite(person.face).all() else None


def _at_rest(character: Character) -> Floats | None:
    """The mesh against which the performer's expression is measured: a mouth that was bent shows no expression."""
    mesh, face = _mesh(character), character.face
    return at_rest(mesh) if mesh is not None and face is not None and face.bent else mesh


def _human(character: Character) -> bool:
    """Whether its face mesh, if there is one, is that of a person and no template."""
    return character.face is None or character.face.human


def _hands(character: Character) -> Floats:
    """(2, 21, 2) the character's hand landmarks, NaN where they cannot be believed."""
    person = character.person
    hands = person.hands[..., :2].astype(np.float32)
    hands[~(person.hand_score >= SURE_HAND)] = np.nan
    return hands


def _draw(
    painter: Painter, puppet: Puppet, looks: Expression | None, frames: int
) -> Iterator[NDArray[np.uint8]]:
    rest, face, head = puppet.rig.trunk, puppet.face, puppet.head
    trunk = Layer(rest.name, rest.texture.copy(), rest.origin)
    shown, faced = tee(looks.at(t) if looks is not None else Look() for t in range(frames))
    faces = face.drawn(faced) if face is not None else repeat(None)
    for t, (look, patch) in enumerate(zip(shown, faces, strict=False)):
        if face is not None and patch is not None:
            _wear(trunk, face, patch)
        turn = head.turned(look.yaw_deg, look.pitch_deg) if head is not None else None
        yield painter.frame(t, trunk, turn)


def _wear(worn: Layer, face: FaceRig, patch: NDArray[np.uint8]) -> None:
    """Put a face that was drawn on the trunk layer."""
    (x, y), (height, width) = worn.origin, worn.texture.shape[:2]
    x0, y0, x1, y1 = box = common(face.box, (x, y, x + width, y + height))
    if not empty(box):
        left, top = face.box[:2]
        cv2.cvtColor(
            patch[y0 - top : y1 - top, x0 - left : x1 - left],
            cv2.COLOR_RGBA2mRGBA,
            dst=worn.texture[y0 - y : y1 - y, x0 - x : x1 - x],
        )


def _left_out(puppet: Puppet, request: MotionRequest) -> tuple[LeftOut, ...]:
    told = []
    if request.prompt.strip():
        told.append(
            LeftOut("prompt", "The puppet engine moves the picture that it gets; it does not read prompts.")
        )
    if request.views:
        told.append(
            LeftOut(
                "views",
                "The puppet engine draws from the reference picture alone: the character's other views "
                f"({len(request.views)}) are not shown.",
            )
        )
    still_face = _still_face(puppet)
    if still_face:
        told.append(LeftOut("face", still_face))
    still = [n for n in ("left arm", "right arm", "left leg", "right leg") if n not in _moving(puppet.rig)]
    if still:
        told.append(
            LeftOut("limbs", f"The picture does not show enough of these to move them: {', '.join(still)}.")
        )
    return tuple(told)


def _still_face(puppet: Puppet) -> str:
    """What of the face stays as it is, and why; nothing where all of it moves."""
    face, found = puppet.face, puppet.character.face
    if face is None:
        stays = (
            "its head turns, its features stay as they are"
            if puppet.head is not None
            else "it stays as it is"
        )
        return f"No face that could move was found on the character; {stays}."
    eyes, mouth = any(lid is not None for lid in face.lids), face.mouth is not None
    if eyes and mouth:
        return ""
    how = "The face was found by its drawn eyes. " if found is not None and found.by == "features" else ""
    if not eyes and not mouth:
        return how + "Neither its eyes nor its mouth could be moved without harm; they stay as they are."
    if not mouth:
        return how + "Its mouth was not found and stays as it is."
    return how + "Its eyes could not be closed without harm and stay open."


def _moving(rig: Rig) -> set[str]:
    return {limb.limb.name for limb in rig.limbs}
