"""The way of one bad file: read as the command line reads it, in a process that is watched."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from bad_files import bad_file
from good_files import CLIP_SIDES
from understudy.errors import InputError, UnderstudyError
from understudy.media.clip import frame_times, probe, read_frames
from understudy.media.encode import VideoWriter
from understudy.media.limits import check_clip
from understudy.media.picture import load_picture
from understudy.request import Orientation
from understudy.tracking.joints import read_face_hints, read_joints
from understudy.tracking.motion import Motion
from understudy.tracking.performance import choose_performance

MOST_MEMORY_MB = 800  # above what the process held before the file
MOST_ADDRESSES = 8 * 2**30  # of a worker: an error instead of a machine without memory
MOST_FRAMES_READ = 2000  # a small file can declare more; they are fine, and cost time only
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Verdict:
    """How one file went: an error's code, "accepted", or a fault with what it is about."""

    outcome: str
    fault: str | None = None
    seconds: float = 0.0
    memory_mb: int = 0


def verdict(kind: str, path: Path) -> Verdict:
    """Read the file; anything but a result or one clear error of ours is a fault, and so is a word on stderr."""
    _forget_peak()
    before = _memory_mb("VmRSS")
    begun = time.process_time()
    with _stderr() as heard:
        outcome, fault = _tried(kind, path)
    seconds = time.process_time() - begun
    memory = max(_memory_mb("VmHWM") - before, 0)
    if fault is None and heard:
        fault = f"noise: {heard[0][:500]!r}"
    if fault is None and memory > MOST_MEMORY_MB:
        fault = f"memory: {memory} MB"
    return Verdict(outcome, fault, seconds, memory)


def _tried(kind: str, path: Path) -> tuple[str, str | None]:
    try:
        return ROADS[kind](path), None
    except UnderstudyError as error:
        told = (error.code, error.message, error.fix)
        if not all(told) or not isinstance(error, InputError):
            return error.code, f"unclear: {type(error).__name__} {error}"
        if "\n" in str(error) or len(str(error)) > 1500:
            return error.code, f"long: {error}"
        return error.code, None
    except Exception:
        return "escaped", f"escaped: {traceback.format_exc(limit=-4)}"


def _picture(path: Path) -> str:
    picture = load_picture(path, limits=False)
    assert picture.rgb.shape == (picture.height, picture.width, 3)
    assert picture.rgb.dtype == np.uint8
    assert picture.alpha is None or picture.alpha.shape == picture.rgb.shape[:2]
    return ACCEPTED


def _clip(path: Path) -> str:
    """Looked at, then every frame read and the sound copied, whether or not the limits let it in."""
    clip = probe(path)
    outcome = ACCEPTED
    try:
        check_clip(clip, Orientation.VIDEO)
    except UnderstudyError as error:
        outcome = f"accepted, but {error.code}"
    assert 0 < clip.fps < 1_000_000
    assert 0 <= clip.duration_s < 1e9
    times = frame_times(clip)
    assert len(times) <= clip.frame_count
    made = path.with_name(f"{path.name}.mp4")
    width, height = CLIP_SIDES
    grey = np.full((height, width, 3), 99, np.uint8)
    last = -1.0
    with VideoWriter(
        made,
        width,
        height,
        clip.fps,
        variable_rate=clip.variable_rate,
        sound_from=clip,
        sound_stop_s=clip.duration_s,
        threads=1,
    ) as out:
        for index, (time_s, frame) in enumerate(read_frames(clip, short_side_max=120, threads=1)):
            assert time_s > last
            assert frame.dtype == np.uint8
            assert frame.shape[2] == 3
            last = time_s
            out.write(grey, time_s)
            if index > MOST_FRAMES_READ:
                break
    made.unlink()
    return outcome


def _motion(path: Path) -> str:
    motion = Motion.load(path)
    shot, _ = choose_performance(motion, min(1.0, motion.duration_s / 4))
    part = motion.cut_to(shot)
    assert len(part) > 0
    assert part.fps > 0
    return ACCEPTED


def _joints(path: Path) -> str:
    person = read_joints(path, 300, 400)
    assert np.isfinite(person.body).all()
    assert np.isfinite(person.world).all()
    read_face_hints(path)
    return ACCEPTED


ROADS = {"picture": _picture, "clip": _clip, "motion": _motion, "joints": _joints}


def work(line: Connection, folder: Path, seed: int) -> None:
    """A worker: for each number that comes, the file with that number, read; its verdict goes back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = folder / f"file-{os.getpid()}"
    with suppress(EOFError, BrokenPipeError):
        while True:
            index = line.recv()
            made = bad_file(seed, index)
            path.write_bytes(made.content)
            line.send(str(path))  # from here on the clock runs
            line.send((made.kind, made.was, made.done, verdict(made.kind, path)))


@contextmanager
def _stderr() -> Iterator[list[str]]:
    """What is written to file descriptor 2 meanwhile, by Python or by a library; in the list at the end."""
    heard: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said = file.read(4096).decode("utf-8", "replace")
            if said:
                heard.append(said)


def _forget_peak() -> None:
    """From here on VmHWM counts anew (proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory_mb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) // 1024
    return 0
