"""One output video measured against its reference image and its driving video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from understudy.errors import ClipError
from understudy.evaluation.crops import EVERY, crop_sheets, with_rest_head
from understudy.evaluation.faces import face_figures, face_width
from understudy.evaluation.figures import Figures
from understudy.evaluation.hands import hand_figures, hand_length
from understudy.evaluation.joints import joint_figures, person_height, root_drift, without_gaps
from understudy.evaluation.limbs import limb_figures, torso_yaw, wrapped
from understudy.evaluation.masks import Masker, NetworkMasker, box_about
from understudy.evaluation.pixels import CameraWatch, PixelFigures, PixelSums, Sample
from understudy.evaluation.reference import is_frame_of
from understudy.evaluation.rest import RestFigures, rest_figures
from understudy.evaluation.samples import HEIGHT_PX, sample_times, sampled, scaled
from understudy.evaluation.sound import read_sound, sound_offset
from understudy.evaluation.speech import lip_lag
from understudy.evaluation.watched import Watched, Watcher
from understudy.media.clip import Clip, probe
from understudy.media.picture import Picture, load_picture
from understudy.progress import Progress, silent
from understudy.request import Orientation
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.tracker import Frame, Person, Tracker

TrackerMaker = Callable[[], Tracker]


@dataclass(frozen=True)
class _Seen:
    """What one pass over both videos leaves behind."""

    performer: Watched
    shown: Watched
    reference: Watched
    pixels: PixelFigures
    still_pixels: PixelFigures
    still_camera: bool


def evaluate(
    reference: Path,
    driving: Path,
    output: Path,
    *,
    orientation: Orientation,
    self_reenactment: bool | None = None,
    tracker: TrackerMaker = MediaPipeTracker,
    masker: Masker | None = None,
    driving_start_s: float = 0.0,
    seconds: float | None = None,
    rest: Path | None = None,
    work_s: float | None = None,
    crops: Path | None = None,
    every: int = EVERY,
    progress: Progress = silent,
) -> Figures:
    """Every figure of docs/quality.md for ``output``; in ``still_image`` the same of the reference image shown still.

    The output's first frame belongs to ``driving_start_s`` in the driving video; at most ``seconds`` are compared
    (10 at most). ``self_reenactment`` says whether the reference image is a frame of the driving video; None finds
    out. ``rest`` is an output made from a still clip of the reference image (`rest.still_clip`). ``work_s`` is the
    time that making the output took. Crop sheets of face and hands go to the folder ``crops``, one cell for each
    ``every`` frames. Two trackers are made, one for each video. Both videos are streamed.
    Raises PictureError and ClipError where a file cannot be read.
    """
    picture = load_picture(reference, limits=False)
    clip, made = probe(driving), probe(output)
    left_s = clip.duration_s - driving_start_s
    if left_s <= 0 or driving_start_s < 0:
        raise ClipError(
            "offset_outside",
            "The output's place in the driving video lies outside it.",
            value=f"{driving_start_s:g} s",
            limit=f"0 to {clip.duration_s:g} s",
            fix="Give the second of the driving video at which the output begins.",
        )
    compared_s = min(x for x in (left_s, made.duration_s, seconds) if x is not None)
    if self_reenactment is None:
        self_reenactment = is_frame_of(picture.rgb, driving)
    seen = _watch(
        picture,
        _counted(_samples(clip, driving_start_s, compared_s), len(sample_times(compared_s)), progress),
        _samples(made, 0.0, compared_s),
        self_reenactment=self_reenactment,
        tracker=tracker,
        masker=masker or NetworkMasker(),
    )
    common = Figures(
        orientation=str(orientation),
        self_reenactment=self_reenactment,
        samples=len(seen.performer),
        still_camera=seen.still_camera,
    )
    still = seen.reference.repeated(len(seen.performer))
    figures = _figures(common, seen, seen.shown, seen.pixels, orientation)
    driving_sound = read_sound(clip, driving_start_s, compared_s)
    sound = read_sound(made, 0.0, compared_s)
    at_rest = RestFigures(None, None) if rest is None else rest_figures(reference, rest, tracker=tracker)
    if crops is not None:
        theirs = (clip, seen.performer.motion, driving_start_s)
        ours = (made, with_rest_head(seen.shown.motion, picture, tracker()), 0.0)
        crop_sheets(theirs, ours, crops, every=every)
    return replace(
        figures,
        **at_rest._asdict(),
        lip_lag=lip_lag(
            clip, made, seen.performer.motion, seen.shown.motion, driving_start_s=driving_start_s
        ),
        duration_s=made.duration_s,
        driving_duration_s=clip.duration_s,
        fps=float(made.fps),
        driving_fps=float(clip.fps),
        face_px=_own_pixels(face_width(seen.performer.motion.face), clip),
        hand_px=_own_pixels(hand_length(seen.performer.motion), clip),
        width=made.width,
        height=made.height,
        sound=sound is not None,
        driving_sound=driving_sound is not None,
        sound_offset_s=None if driving_sound is None or sound is None else sound_offset(driving_sound, sound),
        work_s_per_s=None if work_s is None else work_s / made.duration_s,
        still_image=_figures(common, seen, still, seen.still_pixels, orientation),
    )


def still_image_baseline(
    reference: Path,
    driving: Path,
    *,
    orientation: Orientation,
    self_reenactment: bool | None = None,
    tracker: TrackerMaker = MediaPipeTracker,
    masker: Masker | None = None,
    driving_start_s: float = 0.0,
    seconds: float | None = None,
) -> Figures:
    """The figures of the reference image shown for the whole clip, without a file of it (see `evaluate`)."""
    picture = load_picture(reference, limits=False)
    clip = probe(driving)
    compared_s = clip.duration_s - driving_start_s
    if seconds is not None:
        compared_s = min(compared_s, seconds)
    if self_reenactment is None:
        self_reenactment = is_frame_of(picture.rgb, driving)
    seen = _watch(
        picture,
        _samples(clip, driving_start_s, compared_s),
        None,
        self_reenactment=self_reenactment,
        tracker=tracker,
        masker=masker or NetworkMasker(),
    )
    common = Figures(
        orientation=str(orientation),
        self_reenactment=self_reenactment,
        samples=len(seen.performer),
        still_camera=seen.still_camera,
    )
    return _figures(common, seen, seen.shown, seen.still_pixels, orientation)


def _watch(
    picture: Picture,
    driving: Iterator[Frame],
    output: Iterator[Frame] | None,
    *,
    self_reenactment: bool,
    tracker: TrackerMaker,
    masker: Masker,
) -> _Seen:
    """One pass over both videos; frames live for one sample only. Without an output only the still image is seen."""
    following = tracker()
    # The picture is looked at before the clip begins, so that one tracker serves both.
    still, performer, shown = Watcher(following), Watcher(following), Watcher(tracker())
    camera = CameraWatch()
    reference: Sample | None = None
    sums = still_sums = None
    height = 0.0
    for frame in driving:
        size = (frame.shape[1], frame.shape[0]) if self_reenactment else None
        made = None
        if output is not None:
            made = next(output, None)
            if made is None:
                break
            size = size or (made.shape[1], made.shape[0])
            made = scaled(made, size)
        if reference is None:
            fitted = scaled(picture.on_white(), size)
            character = still.find(fitted)
            height = person_height(still.watched().motion) or 0.0
            reference = Sample(fitted, *masker(fitted, character), _box(character, height, fitted))
            sums, still_sums = (
                PixelSums(reference, has_background=picture.alpha is None and character is not None)
                for _ in range(2)
            )
        assert sums is not None
        assert still_sums is not None
        theirs = _sample(frame, performer.see(frame), masker, height) if self_reenactment else None
        if theirs is None:
            performer.see(frame)
        else:
            camera.add(theirs)
        if made is not None:
            sums.add(_sample(made, shown.see(made), masker, height), theirs)
        still_sums.add(reference, theirs)
    if reference is None or sums is None or still_sums is None:
        raise ClipError("clip_empty", "A video holds no frames.", fix="Give a video that a player plays.")
    return _Seen(
        performer=performer.watched(),
        shown=shown.watched() if output is not None else still.watched().repeated(len(performer.watched())),
        reference=still.watched(),
        pixels=sums.figures(still_camera=camera.still),
        still_pixels=still_sums.figures(still_camera=camera.still),
        still_camera=camera.still,
    )


def _figures(
    common: Figures, seen: _Seen, shown: Watched, pixels: PixelFigures, orientation: Orientation
) -> Figures:
    """The figures of ``shown``, which is the output or the reference image repeated."""
    performer, reference = seen.performer.motion, seen.reference.motion
    made = shown.motion
    height = person_height(performer)
    figures = replace(common, **pixels._asdict())
    if height is None:
        return figures
    joints = joint_figures(performer, made, reference, height, self_reenactment=common.self_reenactment)
    filled = without_gaps(made, reference)
    limbs = limb_figures(performer, filled, reference, height, orientation)
    face = face_figures(
        (performer.face, seen.performer.faces),
        (made.face, shown.faces),
        (reference.face, seen.reference.faces),
        self_reenactment=common.self_reenactment,
    )
    hands = hand_figures(performer, made, reference)
    figures = replace(figures, **joints._asdict(), **limbs._asdict(), **face._asdict(), **hands._asdict())
    if orientation is Orientation.IMAGE and reference.tracked[0] and made.tracked.any():
        drift = wrapped(torso_yaw(made.world[made.tracked]) - torso_yaw(reference.world))
        figures = replace(
            figures, facing_drift=float(np.mean(np.abs(drift))), root_drift=root_drift(made, reference)
        )
    return figures


def _own_pixels(size: float | None, clip: Clip) -> float | None:
    """A size in the samples as one in the clip's own pixels."""
    return None if size is None else size * clip.height / HEIGHT_PX


def _samples(clip: Clip, start_s: float, duration_s: float) -> Iterator[Frame]:
    return sampled(clip, [start_s + t for t in sample_times(duration_s)])


def _counted(frames: Iterator[Frame], total: int, progress: Progress) -> Iterator[Frame]:
    for number, frame in enumerate(frames):
        progress("judging", number, total)
        yield frame
    progress("judging", total, total)


def _sample(frame: Frame, person: Person | None, masker: Masker, height: float) -> Sample:
    return Sample(frame, *masker(frame, person), _box(person, height, frame))


def _box(person: Person | None, height: float, frame: Frame) -> tuple[slice, slice] | None:
    return None if person is None else box_about(person, height, frame)
