"""What of a shoulder goes along with an arm: its own skin or cloth, nothing that lies on it."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.shoulder import like_arm

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
