"""Rigs of real pictures: at rest they are the picture, a turned limb has no hole at its joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.engine import Puppet, PuppetEngine
from understudy.engines.puppet.limb_layers import RiggedLimb
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.rest import rest_frame, rest_poses
from understudy.engines.puppet.rig import Rig
from understudy.engines.puppet.sheet import write_rig_sheet
from understudy.engines.puppet.warp import rotation
from understudy.errors import CharacterError
from understudy.media.picture import load_picture
from understudy.request import MotionRequest
from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Case:
    picture: str
    found_by: str
    limbs: frozenset[str]
    psnr: float  # a few dB below what was measured when this was written


LIMBS = frozenset({"left arm", "right arm", "left leg", "right leg"})
CASES = (
    Case("fb_man_red_jacket.png", "tracker", LIMBS, 32.0),
    Case("drw_purple_crown_boy.png", "silhouette", LIMBS, 40.0),
    Case("sty_dwarf_rgba.png", "tracker", LIMBS, 38.0),
    Case("ub_flux_man_window.png", "tracker", LIMBS - {"left leg", "right leg"}, 34.0),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.picture.split(".")[0])
def rigged(request: pytest.FixtureRequest, media: Path) -> tuple[Case, Puppet]:
    case: Case = request.param
    path = media / "images" / case.picture
    asked = MotionRequest(image=path, output=Path("unused.mp4"))
    return case, PuppetEngine().prepare(load_picture(path), asked)


def shown(puppet: Puppet) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The reference image as it is drawn upon: on white where it is transparent."""
    picture = puppet.picture
    if picture.alpha is None:
        return picture.rgb
    alpha = picture.alpha[..., None] / 255
    return np.rint(picture.rgb * alpha + 255 * (1 - alpha)).astype(np.uint8)


def coverage(rig: Rig, joints: Floats) -> Floats:
    """(H, W) how much of each pixel the figure covers."""
    over = []
    for level in (0, 255):
        bare = replace(rig, background=np.full_like(rig.background, level))
        poses = replace(rest_poses(rig), joints=joints[None])
        order = drawing_order(poses, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
        over.append(Painter(bare, poses, order).frame(0).astype(np.float32))
    return 1 - (over[1] - over[0]).mean(axis=2) / 255


def turned(joints: Floats, limb: RiggedLimb, degrees: float) -> Floats:
    root = limb.limb.points[0]
    first, last = (13, 23) if limb.limb.arm else (25, 33)
    moved = [j for j in range(first, last) if j % 2 == root % 2]
    out = joints.copy()
    out[moved] = joints[root] + (joints[moved] - joints[root]) @ rotation(np.radians(degrees)).T
    return out


def test_the_character_is_found_with_its_limbs(rigged: tuple[Case, Puppet]) -> None:
    case, puppet = rigged
    assert puppet.character.found_by.startswith(case.found_by)
    assert {limb.limb.name for limb in puppet.rig.limbs} == case.limbs


def test_the_rest_pose_is_the_picture(rigged: tuple[Case, Puppet]) -> None:
    case, puppet = rigged
    frame, wanted = rest_frame(puppet.rig), shown(puppet)
    figure = coverage(puppet.rig, puppet.rig.joints) > 0.02
    rows, columns = np.nonzero(figure)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    error = frame[box].astype(np.float64) - wanted[box]
    assert 10 * np.log10(255**2 / np.mean(error**2)) >= case.psnr


def test_a_turned_limb_has_no_hole_at_its_joints(rigged: tuple[Case, Puppet]) -> None:
    _, puppet = rigged
    rig = puppet.rig
    for limb in rig.limbs:
        for degrees in (-60, 60):
            joints = turned(rig.joints, limb, degrees)
            covered = coverage(rig, joints)
            for at in limb.limb.points[:2]:
                disc = np.zeros(covered.shape, np.uint8)
                x, y = (round(float(v)) for v in joints[at])
                cv2.circle(disc, (x, y), max(round(0.4 * float(limb.radii.min())), 2), 1, -1)
                if disc.any():
                    assert float(covered[disc > 0].mean()) >= 0.9, (limb.limb.name, degrees, at)


def test_a_sheet_shows_the_rig(media: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "rig.png"
    told: list[tuple[str, int, int]] = []
    found_by = write_rig_sheet(
        media / "images" / "sty_dwarf_rgba.png", sheet, progress=lambda *report: told.append(report)
    )
    assert found_by.startswith("tracker")
    with Image.open(sheet) as page:
        assert min(page.size) > 800
    assert told[-1][1] == told[-1][2]
    assert list(tmp_path.iterdir()) == [sheet]


def test_no_sheet_of_nobody(media: Path, tmp_path: Path) -> None:
    with pytest.raises(CharacterError) as caught:
        write_rig_sheet(media / "images" / "neg_img_boat_no_person.png", tmp_path / "rig.png")
    assert caught.value.code == "character_not_found"
    assert list(tmp_path.iterdir()) == []
