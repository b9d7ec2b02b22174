"""The main job, end to end: a character's picture and a driving video in, a video out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from understudy.beside import Beside
from understudy.engines.engine import Engine
from understudy.engines.registry import capabilities_of, engine_named
from understudy.errors import ClipError, PerformerError, RequestError
from understudy.media.ahead import ahead
from understudy.media.clip import Clip, frame_size, frame_times, probe, read_frames
from understudy.media.container import READABLE as READABLE_CLIPS
from understudy.media.limits import API_PICTURES, api_clips, check_clip
from understudy.media.picture import load_picture
from understudy.media.picture_kinds import READABLE as READABLE_PICTURES
from understudy.progress import Progress, silent
from understudy.recording import marked_path, record
from understudy.request import LeftOut, Matting, Mode, MotionRequest, Orientation, Result, Scene
from understudy.request_check import check_engine, check_output, checked_seed, choice
from understudy.tracking.motion import Motion, Shot, untracked
from understudy.tracking.performance import LeftOut as Unused
from understudy.tracking.performance import choose_performance

TRACK_SIDE = 720  # short side of the frames that the tracker sees; its networks look at 256 pixels at most
SHORTEST_S = 3.0
MATCH_S = 0.5  # by which a motion and the video beside it may differ in length


def animate(
    image: str | os.PathLike[str],
    video: str | os.PathLike[str] | None = None,
    *,
    output: str | os.PathLike[str],
    orientation: Orientation | str = Orientation.VIDEO,
    mode: Mode | str = Mode.STD,
    sound: bool = True,
    watermark: bool = False,
    prompt: str = "",
    sheet: str | os.PathLike[str] | None = None,
    motion: str | os.PathLike[str] | None = None,
    save_motion: str | os.PathLike[str] | None = None,
    joints: str | os.PathLike[str] | None = None,
    limits: bool = True,
    engine: str = "puppet",
    provenance: bool = True,
    threads: int | None = None,
    matting: Matting | str = Matting.OWN,
    scene: Scene | str = Scene.IMAGE,
    seed: int | None = None,
    progress: Progress = silent,
) -> Result:
    """Make the character of ``image`` perform what happens in ``video``, and write an mp4 to ``output``.

    ``orientation`` "video" follows the performer's facing and path, "image" keeps the reference's facing. ``mode``
    "std" gives a short side of 720 pixels, "pro" of 1080. ``motion`` is a motion file to use instead of tracking the
    video. ``matting`` "learned" cuts the character out with a network (`understudy models pull matting`).
    ``scene`` "video" puts the character into the driving video, with an engine that can; ``seed`` (0 to 2147483647)
    gives another video of the same inputs, with an engine whose videos differ (`understudy engines`). Raises an
    UnderstudyError that says what is wrong and what to do.
    """
    request = MotionRequest(
        image=Path(image),
        output=Path(output),
        video=_path(video),
        motion=_path(motion),
        orientation=choice(Orientation, "orientation", orientation),
        mode=choice(Mode, "mode", mode),
        sound=sound,
        watermark=watermark,
        prompt=prompt,
        engine=engine,
        limits=limits,
        joints=_path(joints),
        save_motion=_path(save_motion),
        sheet=_path(sheet),
        provenance=provenance,
        threads=threads,
        matting=choice(Matting, "matting", matting),
        scene=choice(Scene, "scene", scene),
        seed=checked_seed(seed),
    )
    result = fulfil(request, progress)
    if seed is None or result.seed is not None:
        return result
    told = LeftOut("seed", f"The engine {result.engine} makes the same video with every seed.")
    return replace(result, left_out=(*result.left_out, told))


def fulfil(request: MotionRequest, progress: Progress = silent, engine: Engine[Any] | None = None) -> Result:
    """The road of one request. Every entrance (Python, command line, server) leads here. ``engine`` stands in for the
    one that the request names."""
    check_output(request)
    known = capabilities_of(request.engine) if engine is None else engine.capabilities
    if known is not None:  # else it is told that there is no such engine
        check_engine(request, known)
    threads = request.threads or min(os.cpu_count() or 1, 4)
    clock = _Clock()
    with clock.stage("read"):
        engine = engine or engine_named(
            request.engine, threads=threads, matting=request.matting, scene=request.scene
        )
        name = engine.capabilities.name
        kinds, containers = (
            (tuple(READABLE_PICTURES), tuple(READABLE_CLIPS))
            if request.any_format
            else (API_PICTURES, api_clips(matroska=request.matroska))
        )
        picture = load_picture(request.image, limits=request.limits, kinds=kinds)
        clip = None if request.video is None else probe(request.video, containers=containers)
        if clip is not None:
            check_clip(clip, request.orientation, limits=request.limits)
    # Neither needs the other until the performance begins.
    with Beside(lambda told: engine.prepare(picture, request, told), thread=threads > 1) as preparing:

        def tracked(stage: str, done: int, total: int) -> None:
            progress(stage, done, total)
            if request.save_motion is None:  # else the motion is kept, whatever the picture is
                preparing.check()

        with clock.stage("tracking"):
            followed = engine.capabilities.follows_motion or request.save_motion is not None
            gaps = not engine.capabilities.follows_each_frame(request.scene)
            try:
                whole, shot, dropped = _followed(
                    request, clip, threads, tracked, followed=followed, gaps=gaps
                )
            except (ClipError, PerformerError):
                preparing.result(progress)  # of two errors the picture's is told, whichever comes first
                raise
            motion = whole.cut_to(shot)
        with clock.stage("rig"):
            performance = engine.perform(preparing.result(progress), motion, request, progress)
    with clock.stage("drawing"):
        written = record(request, name, performance, clip, whole, motion, threads, progress)
    start_s = motion.start_s
    if request.sheet is not None and request.video is not None:  # checked before: the one needs the other
        from understudy.evaluation.sheet import contact_sheet

        with clock.stage("sheet"):
            contact_sheet(request.video, request.output, request.sheet, driving_start_s=start_s)
    left_out = _missing_head(whole)
    left_out += [LeftOut(part.reason, _seconds(whole, part.start, part.stop)) for part in dropped]
    if written.sound_unreadable:
        left_out.append(LeftOut("sound", "The driving video's sound cannot be decoded: the output has none."))
    return Result(
        path=request.output,
        width=performance.width,
        height=performance.height,
        fps=float(written.fps),
        frames=written.frames,
        duration_s=written.duration_s,
        engine=name,
        character_found_by=performance.character_found_by,
        sound=written.sound,
        driving_start_s=start_s,
        watermark_path=marked_path(request),
        sheet_path=request.sheet,
        left_out=(*left_out, *performance.left_out),
        timings_s=clock.stages_s,
        seed=(request.seed or 0) if engine.capabilities.seeded else None,
    )


def _followed(
    request: MotionRequest,
    clip: Clip | None,
    threads: int,
    progress: Progress,
    *,
    followed: bool,
    gaps: bool,
) -> tuple[Motion, Shot, tuple[Unused, ...]]:
    """The whole motion, kept where that is asked for, the shot of it that is used, and what is not."""
    whole = _motion(request, clip, threads, progress, followed=followed)
    if request.motion is not None and clip is not None:
        _check_match(whole, clip)
    if request.save_motion is not None:
        whole.save(request.save_motion)
    if not followed:
        return whole, Shot(0, len(whole)), ()
    return whole, *choose_performance(whole, _shortest_s(request, whole), gaps=gaps)


def _shortest_s(request: MotionRequest, motion: Motion) -> float:
    """The shortest performance to use: without the limits a short clip will do, but not a scrap of a long one."""
    return SHORTEST_S if request.limits else min(1.0, motion.duration_s / 4)


def _motion(
    request: MotionRequest, clip: Clip | None, threads: int, progress: Progress, *, followed: bool
) -> Motion:
    """The motion file's, or the tracked clip's; where nobody is ``followed``, the clip's times alone."""
    if request.motion is not None:
        return Motion.load(request.motion)
    if clip is None:
        raise RequestError(
            "motion_missing",
            "There is neither a driving video nor a motion file.",
            fix="Give --video or --motion.",
        )
    if not followed:
        return untracked(clip.width, clip.height, frame_times(clip))
    # The networks take a while to load, which nothing else here needs.
    from understudy.tracking.clip_tracking import track_clip
    from understudy.tracking.mediapipe_tracker import MediaPipeTracker

    width, height = frame_size(clip, TRACK_SIDE)
    tracker = MediaPipeTracker(threads=threads)
    with closing(ahead(read_frames(clip, short_side_max=TRACK_SIDE, threads=threads))) as frames:
        return track_clip(frames, width, height, tracker, progress, clip.frame_count)


def _check_match(motion: Motion, clip: Clip) -> None:
    """Raise RequestError where the motion cannot be the video's: another length."""
    end_s = motion.start_s + motion.duration_s
    if abs(end_s - clip.duration_s) > MATCH_S:
        raise RequestError(
            "motion_video_mismatch",
            f"The motion ends after {end_s:.2f} s, the video after {clip.duration_s:.2f} s.",
            value=f"{abs(end_s - clip.duration_s):.2f} s apart",
            limit=f"{MATCH_S:g} s",
            fix="Give the video that the motion was made from, or --motion alone.",
        )


def _missing_head(motion: Motion) -> list[LeftOut]:
    """Nothing, or that the driving video's first frames could not be decoded."""
    if motion.start_s < 0.5 / motion.fps:
        return []
    detail = f"The driving video cannot be decoded before {motion.start_s:.2f} s."
    return [LeftOut("damaged", detail)]


def _seconds(motion: Motion, start: int, stop: int) -> str:
    first, last = (
        motion.start_s + float(motion.times_s[index]) for index in (start, min(stop, len(motion) - 1))
    )
    return f"The driving video from {first:.2f} to {last:.2f} s is not used."


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)


class _Clock:
    """Seconds of work in each stage."""

    def __init__(self) -> None:
        self.stages_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stages_s[name] = round(self.stages_s.get(name, 0.0) + time.perf_counter() - begun, 3)
