"""Which found hands are believed: made landmarks with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.tracking.hand_check import is_plausible, palm_span
from understudy.tracking.hand_runs import drop_glimpses
from understudy.tracking.hands import Hand, HandLandmarks, drop_double, region_from_forearm, uncrossed
from understudy.tracking.motion import Floats
from understudy.tracking.region import Region

# An open hand, wrist at 0, palm of length 1 along -y, the thumb at +x: a right hand's back or a left hand's palm.
OPEN = np.array(
    [[0, 0], [0.3, -0.3], [0.5, -0.55], [0.65, -0.75], [0.8, -0.9]]
    + [[0.28 - 0.25 * f, -y] for f in range(4) for y in (1.0, 1.4, 1.65, 1.85)]
)


def hand_at(wrist: tuple[float, float], size: float = 60.0, turn: float = 0.0) -> Floats:
    c, s = np.cos(turn), np.sin(turn)
    flat = OPEN @ np.array([[c, s], [-s, c]]) * size + np.array(wrist)
    return np.concatenate([flat, np.zeros((21, 1))], axis=1).astype(np.float32)


def body() -> Floats:
    """Arms that hang and lift their forearms straight up; torso 400 px, wrists at (300, 400) and (100, 400)."""
    at = np.zeros((33, 3), np.float32)
    at[[11, 12, 23, 24], :2] = [[280, 200], [120, 200], [250, 600], [150, 600]]
    at[[13, 14, 15, 16], :2] = [[300, 550], [100, 550], [300, 400], [100, 400]]
    return at


def found(landmarks: Floats, right: float, wrist: tuple[float, float]) -> Hand:
    region = Region(float(landmarks[9, 0]), float(landmarks[9, 1]), 160.0, 0.0)
    return Hand(landmarks, 0.9, region, np.array(wrist, np.float32), np.zeros((1, 1, 3), np.uint8), right)


def test_a_hand_that_goes_on_from_its_forearm_is_plausible() -> None:
    assert is_plausible(hand_at((302, 398)), body(), 0)
    assert is_plausible(hand_at((302, 398), turn=np.radians(80)), body(), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        hand_at((302, 398), size=15),  # somebody else's, far away
        hand_at((302, 398), size=250),
        hand_at((302, 398), turn=np.pi),  # folded back along the forearm
        hand_at((102, 398)),  # at the other wrist
        np.where(np.isin(np.arange(21), (8, 12))[:, None], 700, hand_at((302, 398))),  # fingers without end
    ],
)
def test_what_no_hand_can_be_is_not_believed(wrong: Floats) -> None:
    assert not is_plausible(wrong, body(), 0)


def test_a_forearm_that_points_at_the_camera_tells_nothing_of_the_hand() -> None:
    at = body()
    at[13, :2] = at[15, :2] + 20
    assert is_plausible(hand_at((302, 398), turn=np.pi), at, 0)


def test_one_hand_found_from_both_sides_stays_with_the_side_it_looks_like() -> None:
    wrists = np.array([[300, 400], [280, 400]], np.float32)
    seen = hand_at((290, 400))
    left, right = found(seen, 0.95, (300, 400)), found(seen + 2, 0.95, (280, 400))
    assert drop_double(left, right, wrists) == (None, right)
    left, right = found(seen, 0.05, (300, 400)), found(seen + 2, 0.05, (280, 400))
    assert drop_double(left, right, wrists) == (left, None)


def test_hands_that_changed_places_are_put_back() -> None:
    wrists = np.array([[300, 400], [250, 400]], np.float32)
    at_left, at_right = hand_at((295, 400)), hand_at((255, 400))
    left, right = uncrossed(found(at_right, 0.9, (300, 400)), found(at_left, 0.1, (250, 400)), wrists)
    assert left is not None
    assert right is not None
    np.testing.assert_array_equal(left.landmarks, at_left)
    np.testing.assert_array_equal(right.landmarks, at_right)
    # Far from each other the wrists alone count, whatever the hands look like.
    apart = np.array([[300, 400], [0, 400]], np.float32)
    left, right = uncrossed(found(at_left, 0.9, (300, 400)), found(hand_at((0, 400)), 0.1, (0, 400)), apart)
    assert left is not None
    np.testing.assert_array_equal(left.landmarks, at_left)


def test_the_forearm_leads_to_the_hand() -> None:
    region = region_from_forearm(body(), 0)
    inside = region.from_picture(hand_at((300, 400), size=55))
    assert (inside > 0).all()
    assert (inside < 1).all()
    assert inside[12, 1] < inside[0, 1]  # fingers up in the crop


class Blind:
    """A network that sees no hand, and counts how often it is asked."""

    width = height = 16

    def __init__(self, name: str, **_: object) -> None:
        self.name, self.asked = name, 0
        self.input = np.zeros((self.height, self.width, 3), np.float32)

    def run(self) -> list[Floats]:
        self.asked += 1
        if self.name == "hand_recrop":
            return [np.array([8.0, 8.0, 8.0, 2.0], np.float32)]
        return [np.zeros(63, np.float32), *np.zeros((3, 1), np.float32)]


def test_a_hand_that_stays_lost_costs_one_look_a_frame_and_then_less(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Blind] = {}
    monkeypatch.setattr(
        "understudy.tracking.hands.Network", lambda name, **_: made.setdefault(name, Blind(name))
    )
    follower = HandLandmarks()
    at = body()
    at[[17, 19, 18, 20], :2] = at[[15, 15, 16, 16], :2] + [[10, -60], [-10, -60]] * 2
    visible = np.ones(33, np.float32)
    visible[16] = 0.0  # the right hand is hidden: nobody looks for it
    frame = np.zeros((700, 400, 3), np.uint8)
    asked = []
    for _ in range(19):
        assert follower.look(frame, at, visible) == [None, None]
        asked.append(made["hand_landmark_full"].asked)
    looks = np.diff([0, *asked]).tolist()
    assert looks == [2, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    # After the first frames where the knuckles are and along the forearm in turn.
    assert made["hand_recrop"].asked == 7 + 2


def test_a_lost_hand_counts_the_frames_that_are_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Blind("hand_landmark_full")
    monkeypatch.setattr(
        "understudy.tracking.hands.Network",
        lambda name, **_: network if name == network.name else Blind(name),
    )
    follower = HandLandmarks()
    at = body()
    at[[17, 19], :2] = at[15, :2] + [[10, -60], [-10, -60]]
    visible = np.ones(33, np.float32)
    visible[16] = 0.0
    asked = []
    for _ in range(8):
        follower.look(np.zeros((700, 400, 3), np.uint8), at, visible, (2, 2))
        asked.append(network.asked)
    # After frames 2, 4, 6 and 8 in each; then only three frames on at least, which is every second look.
    assert np.diff([0, *asked]).tolist() == [2, 1, 1, 1, 0, 1, 0, 1]


def test_a_hand_of_an_earlier_frame_changes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.tracking.hands.Network", lambda name, **_: Blind(name))
    at = body()
    at[[15, 16], :2] = [[300, 400], [250, 400]]
    crossed = [found(hand_at((255, 400)), 0.9, (300, 400)), found(hand_at((295, 400)), 0.1, (250, 400))]
    monkeypatch.setattr(HandLandmarks, "_followed", lambda self, frame, side, *_: crossed[side])
    for passed, put_back in (((1, 0), False), ((0, 2), False), ((1, 2), True)):
        follower = HandLandmarks()
        follower._last = list(crossed)
        follower.look(np.zeros((700, 400, 3), np.uint8), at, np.ones(33, np.float32), passed)
        left = follower._last[0]
        assert left is not None
        assert (left.landmarks is crossed[1].landmarks) == put_back


def test_glimpses_and_jumps_are_forgotten() -> None:
    fps, frames = 30.0, 60
    hands = np.repeat(hand_at((300, 400))[None], frames, 0)
    score = np.ones(frames, np.float32)
    hands[:20], score[:20] = np.nan, 0
    hands[23:40], score[23:40] = np.nan, 0  # frames 20 to 22: a glimpse
    hands[50:52] = hand_at((300, 400), turn=np.pi)  # turned over for two frames
    drop_glimpses(hands, score, fps)
    known = np.isfinite(hands[:, 0, 0])
    assert not known[:40].any()
    assert known[40:50].all()
    assert not known[50:52].any()
    assert known[52:].all()
    np.testing.assert_array_equal(score > 0, known)


def test_a_hand_that_flickers_is_no_glimpse() -> None:
    hands = np.repeat(hand_at((300, 400))[None], 30, 0)
    hands[::3] = np.nan
    score = np.isfinite(hands[:, 0, 0]).astype(np.float32)
    before = score.copy()
    drop_glimpses(hands, score, 30.0)
    np.testing.assert_array_equal(score, before)


def test_a_clip_of_a_moment_keeps_its_hands() -> None:
    hands = np.repeat(hand_at((300, 400))[None], 2, 0)
    score = np.ones(2, np.float32)
    drop_glimpses(hands, score, 30.0)
    assert np.isfinite(hands).all()
    assert palm_span(hands[0]) > 0
