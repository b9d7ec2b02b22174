"""The figures of hands and of the mouth's being in step, on made-up landmarks whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_motion import performance
from numpy.typing import NDArray

from understudy.evaluation.faces import face_width
from understudy.evaluation.hands import HandFigures, hand_figures, hand_length
from understudy.evaluation.speech import LOOKED_AT_S, Openings, best_shift, liveliest
from understudy.tracking.motion import FACE, HAND, Motion

T = 60
PALM_PX = 30.0
LEFT, RIGHT = 0, 1


def hand(*, spread_deg: float = 12.0, palm_px: float = PALM_PX) -> NDArray[np.float32]:
    """A right hand's back, fingers up, its thumb on the left: (21, 3). The wrist is at (0, 0)."""
    points = np.zeros((HAND, 3), np.float32)
    for finger in range(5):
        angle = np.radians(spread_deg * (finger - 2) - 90)
        along = palm_px * np.array([np.cos(angle), np.sin(angle)])
        for joint in range(4):
            points[1 + 4 * finger + joint, :2] = along * (1 + 0.25 * joint)
    return points


def turned(points: NDArray[np.float32], angle_deg: float, about: int = 0) -> NDArray[np.float32]:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    result = points.copy()
    result[:, :2] = (points[:, :2] - points[about, :2]) @ np.array([[c, s], [-s, c]]) + points[about, :2]
    return result


def mirrored(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points * np.array([-1, 1, 1], np.float32)


def showing(left: NDArray[np.float32] | None, right: NDArray[np.float32] | None, frames: int = T) -> Motion:
    """A body whose hands stay as they are; None is a lost hand."""
    motion = performance(frames, 12.0)
    hands, score = motion.hands.copy(), motion.hand_score.copy()
    for side, points in ((LEFT, left), (RIGHT, right)):
        if points is not None:
            hands[:, side] = points + np.array([100 + 100 * side, 200, 0], np.float32)
            score[:, side] = 1
    return replace(motion, hands=hands, hand_score=score)


BOTH = showing(mirrored(hand()), hand())


def figures(performer: Motion, shown: Motion) -> HandFigures:
    return hand_figures(performer, shown, shown)


def test_the_same_hands_are_perfect() -> None:
    assert figures(BOTH, BOTH) == pytest.approx((0, 1, 0), abs=0.05)


def test_a_hand_that_the_tracker_is_not_sure_of_does_not_count() -> None:
    doubtful = replace(BOTH, hand_score=np.where(np.arange(2) == LEFT, np.float32(0.7), BOTH.hand_score))
    assert figures(doubtful, showing(None, hand())).hand_seen == 1


@pytest.mark.parametrize("angle_deg", [-70.0, 15.0, 180.0])
def test_hand_deg_is_the_angle_of_a_turned_hand(angle_deg: float) -> None:
    shown = showing(turned(mirrored(hand()), angle_deg), turned(hand(), angle_deg))
    assert figures(BOTH, shown).hand_deg == pytest.approx(abs(angle_deg), abs=0.05)


def test_hand_deg_is_the_mean_over_the_fingers() -> None:
    bent = hand()
    c, s = np.cos(np.radians(50)), np.sin(np.radians(50))
    bent[5:9, :2] = (bent[5:9, :2] - bent[5, :2]) @ np.array([[c, s], [-s, c]]) + bent[5, :2]
    assert figures(showing(None, hand()), showing(None, bent)).hand_deg == pytest.approx(10, abs=0.05)


def test_a_finger_that_points_at_the_camera_does_not_count() -> None:
    foreshortened = hand()
    foreshortened[6:9] = foreshortened[5] + 0.1 * (foreshortened[6:9] - foreshortened[5])
    bent = turned(hand(), 0)
    bent[8, :2] += (40, 40)
    shown = showing(None, bent)
    assert figures(showing(None, foreshortened), shown).hand_deg == pytest.approx(0, abs=0.05)
    assert figures(showing(None, hand()), shown).hand_deg != pytest.approx(0, abs=5)


def test_a_fist_has_no_directions_but_is_seen() -> None:
    fist = hand()
    for finger in range(5):
        base = 1 + 4 * finger
        fist[base + 2 : base + 4] = fist[base + 1]
    found = figures(showing(None, fist), BOTH)
    assert found.hand_deg is None
    assert found.hand_seen == 1


def test_a_hand_that_is_lost_in_the_result_is_told() -> None:
    found = figures(BOTH, showing(mirrored(hand()), None))
    assert found.hand_seen == pytest.approx(0.5)
    assert found.hand_deg == pytest.approx(0, abs=0.05)
    assert figures(BOTH, showing(None, None)) == (None, 0, None)


def test_a_hand_of_the_wrong_side_is_told() -> None:
    assert figures(BOTH, showing(hand(), mirrored(hand()))).hand_swapped == 1
    assert figures(BOTH, showing(mirrored(hand()), mirrored(hand()))).hand_swapped == pytest.approx(0.5)
    edge_on = hand() * np.array([0.05, 1, 1], np.float32)
    assert figures(BOTH, showing(edge_on, edge_on)).hand_swapped is None


def test_small_few_and_unknown_hands_have_no_figures() -> None:
    nothing = (None, None, None)
    small = showing(mirrored(hand(palm_px=8)), hand(palm_px=8))
    assert figures(small, BOTH) == nothing
    assert figures(BOTH, small).hand_deg is None
    few = showing(None, hand(), frames=7)
    assert figures(few, few) == nothing
    assert figures(showing(None, None), BOTH) == nothing
    nobody = replace(BOTH, body=np.full_like(BOTH.body, np.nan))
    assert hand_figures(BOTH, BOTH, nobody) == nothing


def test_sizes_of_hands_and_faces() -> None:
    assert hand_length(BOTH) == pytest.approx(2 * PALM_PX, rel=0.01)
    assert hand_length(showing(None, None)) is None
    faces = np.full((3, FACE, 3), np.nan, np.float32)
    assert face_width(faces) is None
    faces[1] = 0
    faces[1, 454] = (30, 40, 0)
    assert face_width(faces) == pytest.approx(50)


def openings(
    fps: float, late_s: float = 0.0, *, noise: float = 0.0, seconds: float = LOOKED_AT_S
) -> Openings:
    """Syllables of uneven length, and a jaw that sinks slowly."""
    times_s = np.arange(round(seconds * fps)) / fps
    at = times_s - late_s
    values = 0.1 * np.maximum(0, np.sin(2 * np.pi * (2.5 * at + 0.6 * np.sin(1.7 * at)))) + 0.05 * at
    return Openings(times_s, values + np.random.default_rng(2).normal(0, noise, len(at)))


@pytest.mark.parametrize("late", [-4, -1, 0, 1, 3])
def test_a_late_mouth_is_told_to_the_frame(late: int) -> None:
    theirs, ours = openings(30), openings(30, late / 30, noise=0.01)
    assert best_shift(theirs, ours, 30) == late


def test_another_frame_rate_makes_no_lag() -> None:
    assert best_shift(openings(30), openings(24), 30) == 0


def test_a_mouth_that_does_something_else_has_no_lag() -> None:
    theirs = openings(30)
    other = Openings(theirs.times_s, np.random.default_rng(3).normal(0, 0.05, len(theirs.times_s)))
    assert best_shift(theirs, other, 30) is None
    assert best_shift(theirs, Openings(theirs.times_s, np.zeros_like(theirs.opening)), 30) is None
    hidden = np.where(theirs.times_s < 3, np.nan, theirs.opening)
    assert best_shift(Openings(theirs.times_s, hidden), theirs, 30) is None


def speaking(frames: int, lively: slice) -> Motion:
    """A face whose lips part inside ``lively`` only."""
    motion = performance(frames, 12.0)
    faces = np.zeros((frames, FACE, 3), np.float32)
    faces[:, [33, 133], 0], faces[:, [362, 263], 0] = -30, 30
    faces[:, [61, 291, 152], 1] = 50
    faces[lively, 14, 1] = 10 * (1 + np.sin(np.arange(frames)[lively]))
    return replace(motion, face=faces)


def test_the_mouth_is_looked_at_where_it_moves_most() -> None:
    late = speaking(120, slice(72, 120))
    part = liveliest(late, late)
    assert part is not None
    assert part == pytest.approx((6, 10))
    assert liveliest(speaking(120, slice(0)), late) is None
    assert liveliest(late, speaking(120, slice(0))) is None
    assert liveliest(late, performance(120, 12.0)) is None
