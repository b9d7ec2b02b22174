"""The tracker's stages with networks that are none: what is looked at, in which order, and how its threads end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from understudy.tracking import extremities, mediapipe_tracker
from understudy.tracking.body import Body
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.extremities import Extremities
from understudy.tracking.hands import Hand
from understudy.tracking.iris import lost_irises
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.motion import Floats
from understudy.tracking.region import Region
from understudy.tracking.steps import Moment, blocks
from understudy.tracking.tracker import Frame, Person, Shown, nobody

FPS = 60.0


def shown(count: int, fps: float = FPS) -> Iterator[Shown]:
    """Frames that say in their first pixel which they are."""
    for k in range(count):
        yield Shown(k / fps, np.full((4, 4, 3), k, np.uint8), False)


def number(frame: Frame) -> int:
    return int(frame[0, 0, 0])


def wrist_at(t: float) -> Floats:
    return np.array([200 + 90 * np.sin(9 * t), 300 + 50 * np.cos(7 * t)], np.float32)


def body_at(t: float) -> Body:
    landmarks = np.zeros((33, 3), np.float32)
    landmarks[[11, 12, 23, 24], :2] = [[150, 100], [100, 100], [150, 250], [100, 250]]
    landmarks[[15, 16], :2] = wrist_at(t)
    return Body(landmarks, np.ones(33, np.float32), landmarks, 1.0, landmarks[:2, :2], None)


def hand_at(t: float) -> Hand:
    """Opens evenly, at a wrist that swings about."""
    landmarks = np.zeros((21, 3), np.float32)
    landmarks[:, 0] = np.linspace(0, 40 + 5 * t, 21)
    landmarks[[5, 9, 17], 1] = 30
    landmarks[:, :2] += wrist_at(t)
    return Hand(landmarks, 0.9, Region(0, 0, 100, 0), wrist_at(t), np.zeros((1, 1, 3), np.uint8), 0.0)


class Hands:
    """In place of `HandLandmarks`: knows the left hand, never sees the right one."""

    def __init__(self, **_: object) -> None:
        self.looks: list[tuple[int, tuple[int, int]]] = []

    def restart(self) -> None: ...

    def look(
        self, frame: Frame, body: Floats, visibility: Floats, passed: tuple[int, int]
    ) -> list[Hand | None]:
        self.looks.append((number(frame), passed))
        return [hand_at(number(frame) / FPS) if passed[0] else None, None]

    def between(self, frame: Frame, *_: object) -> Hand | None:
        self.looks.append((number(frame), (0, 0)))
        return hand_at(number(frame) / FPS)


class Faces:
    """In place of `FaceLandmarks`: a face that turns evenly, and counts its looks."""

    def __init__(self, **_: object) -> None:
        self.looks: list[int] = []

    def restart(self) -> None: ...

    def look(self, frame: Frame, body: Floats) -> tuple[Floats, float]:
        self.looks.append(number(frame))
        return np.full((468, 3), number(frame), np.float32), 0.9

    at = look


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Extremities:
    monkeypatch.setattr(extremities, "HandLandmarks", Hands)
    monkeypatch.setattr(extremities, "FaceLandmarks", Faces)
    monkeypatch.setattr(extremities, "find_irises", lambda *_: lost_irises())
    return Extremities()


def bodies(count: int, fps: float = FPS) -> Iterator[list[Moment[Body]]]:
    for block in blocks(shown(count, fps)):
        yield [Moment(one, None, body_at(one.time_s), True) for one in block]


def shifted(count: int) -> Iterator[list[Moment[Body]]]:
    """Another clip: its frames begin late."""
    for block in blocks(one for one in shown(100 + count) if number(one.frame) >= 100):
        yield [Moment(one, None, body_at(one.time_s), True) for one in block]


def test_a_hand_that_opens_evenly_is_told_in_frames_that_are_stepped_over(parts: Extremities) -> None:
    people = list(parts.people(bodies(60)))
    looks = parts._hands.looks  # type: ignore[attr-defined]
    stepped = [k for k, person in enumerate(people) if person is not None and person.stepped[1]]
    assert len(stepped) > 20
    assert not set(stepped) & {frame for frame, passed in looks if passed[0]}
    # Between two looks the wrist swings by many pixels: the hand goes with it.
    for k, person in enumerate(people):
        assert person is not None
        np.testing.assert_allclose(person.hands[0], hand_at(k / FPS).landmarks, atol=0.05)
        assert person.hand_score[0] == pytest.approx(0.9)
        assert np.isnan(person.hands[1]).all()
        assert person.hand_score[1] == 0


def test_a_hand_is_told_how_many_frames_have_passed(parts: Extremities) -> None:
    list(parts.people(bodies(60)))
    for side in (0, 1):
        told = [passed[side] for _, passed in parts._hands.looks if passed[side]]  # type: ignore[attr-defined]
        assert sum(told) == 60


@pytest.mark.parametrize(("fps", "share"), [(24, 1.0), (30, 1.0), (50, 0.5), (60, 0.5), (120, 0.25)])
def test_faces_are_looked_at_in_every_frame_up_to_thirty_a_second(
    parts: Extremities, fps: float, share: float
) -> None:
    people = list(parts.people(bodies(120, fps)))
    looks = parts._face.looks  # type: ignore[attr-defined]
    assert looks == sorted(set(looks)) or share < 1
    assert share <= len(looks) / 120 <= share + 0.06
    for k, person in enumerate(people):
        assert person is not None
        np.testing.assert_allclose(person.face, k, atol=1e-3)


def test_irises_are_told_from_the_two_looks_beside_alone(
    parts: Extremities, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(frame: Frame, _: Floats) -> Floats:
        return lost_irises() if number(frame) % 7 == 0 else np.full((2, 3), number(frame), np.float32)

    monkeypatch.setattr(extremities, "find_irises", find)
    people = list(parts.people(bodies(120)))
    looks = sorted(set(parts._face.looks))  # type: ignore[attr-defined]
    told = 0
    for before, after in pairwise(looks):
        for k in range(before + 1, after):
            person = people[k]
            assert person is not None
            assert person.irises is not None
            if before % 7 == 0 or after % 7 == 0:
                assert np.isnan(person.irises[:, 0]).all()
            else:
                assert (person.irises > before).all()
                assert (person.irises < after).all()
                told += 1
    assert told > 20


def test_a_clip_whose_reader_stops_early_leaves_nothing_for_the_next(parts: Extremities) -> None:
    def read(people: Iterator[Person | None]) -> list[tuple[Floats, Floats]]:
        return [(person.hands, person.face) for person in people if person is not None]

    fresh = read(parts.people(bodies(40)))
    stopped = parts.people(shifted(40))
    for _ in range(20):
        next(stopped)
    del stopped
    again = read(parts.people(bodies(40)))
    assert len(again) == len(fresh) == 40
    for one, other in zip(fresh, again, strict=True):
        for its, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(its, theirs)


def test_nobody_has_no_hands_and_no_face(parts: Extremities) -> None:
    lost = ([Moment[Body](one, None, None, True) for one in block] for block in blocks(shown(20)))
    assert list(parts.people(lost)) == [None] * 20


class Bodies:
    """In place of `FollowedBody`; `fail_at` is a frame at which it raises."""

    fail_at = -1

    def __init__(self, **_: object) -> None:
        self.given = 0

    def restart(self) -> None: ...

    def bodies(self, frames: Iterable[Shown]) -> Iterator[list[Moment[Body]]]:
        for one in frames:
            if number(one.frame) == self.fail_at:
                raise LookupError("no such frame")
            self.given += 1
            yield [Moment(one, None, body_at(one.time_s), True)]


class People:
    """In place of `Extremities`: notes in which threads it runs."""

    def __init__(self, **_: object) -> None:
        self.threads: set[int] = set()

    def restart(self) -> None: ...

    def people(self, stream: Iterable[list[Moment[Body]]]) -> Iterator[Person | None]:
        for _ in stream:
            self.threads.add(threading.get_ident())
            yield replace(nobody(), body=body_at(0).landmarks)


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediapipe_tracker, "FollowedBody", Bodies)
    monkeypatch.setattr(mediapipe_tracker, "Extremities", People)


def others() -> list[threading.Thread]:
    """The tracker's threads: other tests may have left some of their own."""
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.usefixtures("stages")
def test_one_thread_is_one_thread() -> None:
    tracker: Any = MediaPipeTracker(threads=1)
    assert len(list(tracker.follow(shown(50)))) == 50
    assert tracker._extremities.threads == {threading.get_ident()}


@pytest.mark.usefixtures("stages")
def test_two_threads_run_beside_and_look_but_a_little_ahead() -> None:
    tracker: Any = MediaPipeTracker(threads=2)
    more, too_many = threading.Event(), threading.Event()

    def asked_for() -> Iterator[Shown]:
        for one in shown(50):
            if number(one.frame) == 2:
                more.set()
            elif number(one.frame) == 16:
                too_many.set()
            yield one

    with closing(tracker.follow(asked_for())) as people:
        next(people)
        assert more.wait(10)
        assert not too_many.wait(0.3)  # it never comes, however long this lasts
        assert len(list(people)) == 49
    assert threading.get_ident() not in tracker._extremities.threads
    assert not others()


@pytest.mark.usefixtures("stages")
def test_a_reader_that_stops_ends_all_threads() -> None:
    tracker: Any = MediaPipeTracker(threads=2)
    people = tracker.follow(shown(50))
    next(people)
    assert others()
    people.close()
    assert not others()


@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize("threads", [1, 2])
def test_what_fails_in_a_stage_comes_out(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(Bodies, "fail_at", 20)
    people = MediaPipeTracker(threads=threads).follow(shown(50))
    assert all(next(people) is not None for _ in range(20))
    with pytest.raises(LookupError, match="no such frame"):
        next(people)
    assert not others()


@pytest.mark.usefixtures("stages")
def test_a_clip_that_nobody_wants_any_more_leaves_no_thread() -> None:
    def refuse(stage: str, done: int, total: int) -> None:
        if done == 20:
            raise LookupError("enough")

    frames = ((one.time_s, one.frame) for one in shown(50))
    with pytest.raises(LookupError, match="enough") as kept:
        track_clip(frames, 4, 4, MediaPipeTracker(threads=2), refuse)
    assert not others()
    assert kept.value.args == ("enough",)  # and with it the places where it passed
