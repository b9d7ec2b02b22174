"""What of a shoulder goes along with an arm: its own skin or cloth, nothing that lies on it."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.shoulder import HELD, KEPT, like_arm, quiet_armpit

SKIN, SHIRT, STRAP = (224, 180, 150), (60, 90, 190), (240, 240, 240)


def test_only_what_looks_like_the_arm_goes_along() -> None:
    rgb = np.empty((80, 80, 3), np.uint8)
    rgb[:, :20], rgb[:, 20:] = SHIRT, SKIN
    rgb[:, 26:32] = STRAP
    arm, trunk = np.zeros((2, 80, 80), bool)
    arm[:, 38:70], trunk[:, :38] = True, True
    alike = like_arm(rgb, arm, trunk, 15.0)
    assert alike[10:70, 33:38].all()
    assert not alike[:, 26:32].any()
    assert not alike[:, :20].any()
    assert not (alike & ~trunk).any()


def test_no_shoulder_and_no_arm_are_no_crash() -> None:
    rgb = np.full((40, 40, 3), 128, np.uint8)
    nothing, everything = np.zeros((40, 40), bool), np.ones((40, 40), bool)
    assert not like_arm(rgb, everything, nothing, 9.0).any()
    assert not like_arm(rgb, nothing, everything, 9.0).any()


@pytest.mark.parametrize("at", [0.5, 0.6, 0.7, 0.8])
def test_a_string_in_the_armpit_is_not_spread_out(at: float) -> None:
    ys, xs = np.mgrid[0:120, 0:120].astype(float)
    share = np.arctan2(ys - 10, xs - 10) / (np.pi / 2)
    cloth = np.full((120, 120, 4), 255, np.uint8)
    cloth[..., :3] = SHIRT
    cloth[np.abs(share - at) < 0.02, :3] = STRAP
    layer = Layer("trunk", cloth, (0, 0))
    across, down = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    held, kept = quiet_armpit((layer,), np.array([10, 10], np.float32), across, down, 40.0)
    assert not held < at < 1 - kept


def test_an_even_armpit_is_spread_out_as_ever() -> None:
    cloth = np.random.default_rng(3).integers(90, 110, (120, 120, 4)).astype(np.uint8)
    cloth[..., 3] = 255
    across, down = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    shoulder = np.array([10, 10], np.float32)
    choice = quiet_armpit((Layer("trunk", cloth, (0, 0)),), shoulder, across, down, 40.0)
    assert choice == (HELD[0], KEPT[0])
