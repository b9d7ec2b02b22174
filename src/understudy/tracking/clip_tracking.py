"""From a clip's frames to its motion, in one pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from math import inf

import numpy as np

from understudy.progress import Progress, silent
from understudy.tracking.camera import CameraMovement
from understudy.tracking.hand_runs import drop_glimpses
from understudy.tracking.iris import lost_irises
from understudy.tracking.motion import BODY, FACE, HAND, Floats, Motion
from understudy.tracking.shots import find_dissolves, with_cuts
from understudy.tracking.sides import mixed_up
from understudy.tracking.smoothing import person_height, smooth
from understudy.tracking.thumbnail import TINY, Grey
from understudy.tracking.tracker import Frame, Person, Shown, Tracker, nobody

JUMP = 1.0  # torso lengths that the mid-hip may move from one frame to the next
JUMP_SIZE = 1.7  # ratio of the torso's lengths in two frames
JUMP_SIDE_S = 1.0  # at most so much of a shot is given up on one side of a jump

OTHER_SIDE = np.array(
    [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, BODY))]
)


def track_clip(
    frames: Iterable[tuple[float, Frame]],
    width: int,
    height: int,
    tracker: Tracker,
    progress: Progress = silent,
    total: int = 0,
) -> Motion:
    """Follow the performer through a clip and give the motion, smoothed without lag.

    ``frames`` are times in seconds and RGB frames (height, width, 3) in order, read once, the first at the motion's
    ``start_s``; some are held at a time, so each must be an array of its own. A frame whose time is not past the one
    before is left out. ``total`` is the expected number of frames, for ``progress`` (stage ``tracking``). The tracker
    starts anew at each cut. A clip in which nobody is found gives a motion of NaN; no frames at all raise ValueError.
    """
    times: list[float] = []
    people: list[Person] = []
    cuts: list[int] = []
    thumbnails: list[Grey] = []
    camera = CameraMovement(width, height)
    absent = nobody()
    # What is known of the frames that the tracker holds.
    beside: deque[tuple[float, Grey, Grey, bool]] = deque()

    def shown() -> Iterator[Shown]:
        for time_s, frame, grey, thumbnail, is_cut in with_cuts(_rising(frames)):
            beside.append((time_s, grey, thumbnail, is_cut))
            yield Shown(time_s, frame, is_cut)

    with closing(tracker.follow(shown())) as followed:
        for index, person in enumerate(followed):
            time_s, grey, thumbnail, is_cut = beside.popleft()
            if is_cut:
                cuts.append(index)
            times.append(time_s)
            people.append(person or absent)
            thumbnails.append(thumbnail)
            camera.add(grey, person.body if person else None, cut=is_cut)
            progress("tracking", index + 1, max(total, index + 1))
    if not people:
        raise ValueError("no frames")
    stamps = np.asarray(times, np.float64)
    fps = float(1 / np.median(np.diff(stamps))) if len(stamps) > 1 else 30.0
    for start, stop in find_dissolves(np.stack(thumbnails).reshape(-1, TINY, TINY), fps):
        cuts += [c for c in (start, stop) if 0 < c < len(people)]
    motion = Motion(
        width=width,
        height=height,
        times_s=np.asarray(stamps - stamps[0], np.float32),
        body=_stack([p.body for p in people], (BODY, 3)),
        visibility=_stack([p.visibility for p in people], (BODY,)),
        world=_stack([p.world for p in people], (BODY, 3)),
        hands=_stack([p.hands for p in people], (2, HAND, 3)),
        hand_score=_stack([p.hand_score for p in people], (2,)),
        face=_stack([p.face for p in people], (FACE, 3)),
        face_score=np.asarray([p.face_score for p in people], np.float32),
        cuts=tuple(sorted(set(cuts))),
        camera=camera.affines(),
        irises=_irises(people),
        start_s=float(stamps[0]),
    )
    _blank_jumps(motion)
    _put_sides_back(motion)
    for shot in motion.shots:
        part = slice(shot.start, shot.stop)
        for side in (0, 1):
            drop_glimpses(motion.hands[part, side], motion.hand_score[part, side], motion.fps)
    return smooth(motion, np.array([p.stepped for p in people], bool))


def _rising(frames: Iterable[tuple[float, Frame]]) -> Iterator[tuple[float, Frame]]:
    """The frames that have a time of their own: between two of one moment no speed can be told."""
    last_s = -inf
    for time_s, frame in frames:
        if last_s < time_s < inf:  # NaN is not
            last_s = time_s
            yield time_s, frame


def _stack(arrays: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.stack(arrays).astype(np.float32).reshape(len(arrays), *shape)


def _irises(people: list[Person]) -> Floats | None:
    if all(p.irises is None for p in people):
        return None
    return np.stack([lost_irises() if p.irises is None else p.irises for p in people])


def _blank_jumps(motion: Motion) -> None:
    """Where the body jumps within a shot, as no body can, one side is a mistake: NaN for the side that is short.

    In place. A jump is the mid-hip's by more than a torso's length, or a torso that grows or shrinks by far.
    """
    longest = round(JUMP_SIDE_S * motion.fps)
    hips = motion.body[:, 23:25, :2].mean(axis=1)
    shoulders = motion.body[:, 11:13, :2].mean(axis=1)
    torso = np.linalg.norm(shoulders - hips, axis=1)
    for shot in motion.shots:
        for at in range(shot.start + 1, shot.stop):
            size = max(torso[at], torso[at - 1])
            # NaN, where nobody is tracked, compares as no jump.
            if not (
                np.linalg.norm(hips[at] - hips[at - 1]) > JUMP * size
                or min(torso[at], torso[at - 1]) < size / JUMP_SIZE
            ):
                continue
            before, after = at - shot.start, shot.stop - at
            if min(before, after) > longest:
                continue
            wrong = slice(shot.start, at) if before <= after else slice(at, shot.stop)
            for array in (motion.body, motion.world, motion.hands, motion.face):
                array[wrong] = np.nan
            if motion.irises is not None:
                motion.irises[wrong] = lost_irises()
            for score in (motion.visibility, motion.hand_score, motion.face_score):
                score[wrong] = 0


def _put_sides_back(motion: Motion) -> None:
    """Exchange limbs that changed sides for a moment, in place."""
    for shot in motion.shots:
        part = slice(shot.start, shot.stop)
        body = motion.body[part]
        arms, legs = mixed_up(body, person_height(body))
        for frames, first, last in ((arms, 13, 23), (legs, 25, 33)):
            limb = np.arange(first, last)
            for frame in frames:
                at = shot.start + frame
                for array in (motion.body, motion.visibility, motion.world):
                    array[at, limb] = array[at, OTHER_SIDE[limb]]
        for frame in arms:
            at = shot.start + frame
            motion.hands[at] = motion.hands[at, ::-1].copy()
            motion.hand_score[at] = motion.hand_score[at, ::-1].copy()
