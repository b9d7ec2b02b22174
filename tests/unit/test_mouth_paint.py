from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_face import face_mesh

from understudy.engines.puppet.eyes import LOWER, UPPER
from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.mouth_paint import MouthPaint
from understudy.engines.puppet.relief import FaceFrame


def tooth(skin: tuple[int, int, int], white: int) -> np.ndarray:
    mesh = face_mesh()
    frame = FaceFrame.of(mesh)
    texture = np.full((320, 300, 4), (*skin, 255), np.uint8)
    for side in (0, 1):
        outline = np.rint(mesh[list(UPPER[side] + LOWER[side][::-1]), :2]).astype(np.int32)
        cv2.fillPoly(texture, [outline], (white, white, white, 255))
    u = np.linspace(-30, 30, 65).astype(np.float32)
    line = np.full(65, 60.0, np.float32)
    lips = Lips.of(u, line, line, 0.0, mesh, frame)
    uv = np.zeros((320, 300, 2), np.float32)
    return MouthPaint.mixed(lips, texture, mesh, np.zeros(2, np.float32), uv, line, line).tooth


def test_teeth_in_a_dark_face_are_light_and_in_a_pale_one_no_lighter_than_its_light():
    dark, pale = tooth((70, 48, 40), 210), tooth((235, 205, 190), 240)
    assert dark.mean() > 150
    assert 190 < pale.mean() < 230
    assert pale[0] > pale[2]


def test_teeth_in_a_dim_picture_are_dim():
    assert tooth((70, 48, 40), 60).mean() == pytest.approx(1.12 * 52.7, abs=6)
