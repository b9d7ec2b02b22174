"""How far a render is, and how long it will still take, from what its stages told so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from understudy.engines.registry import capabilities_of
from understudy.tasks.device import GPU

# Seconds of the puppet on two quiet cores: of a stage as such, and of each frame. Only their relations count: what a
# stage really took tells how much faster or slower this machine is.
READ, TRACKING, RIG, DRAWING = "read", "tracking", "rig", "drawing"
CLIP, LOADING, DENOISING = "clip", "loading", "denoising"
WAITING = "waiting"  # for a GPU that others have: no work, so its time tells nothing of the work's
ALL = (READ, TRACKING, RIG, DRAWING)
UNFOLLOWED = (READ, DRAWING)  # of an engine that follows no motion
ON_GPU = (READ, TRACKING, CLIP, LOADING, DENOISING)
# The rig is made beside the tracking; a model is loaded for the first task alone.
START_S = {READ: 0.5, TRACKING: 2.5, RIG: 0.2, DRAWING: 0.3, CLIP: 0.5, LOADING: 30.0, DENOISING: 5.0}
# Of a frame; of a denoising step where those are counted: at 640 x 800 on an H200, by arithmetic and not measured.
FRAME_S = {READ: 0.0, TRACKING: 0.024, RIG: 0.0, DRAWING: 0.016, CLIP: 0.01, LOADING: 0.0, DENOISING: 5.0}
# Times as long at 1080 pixels.
PRO = {READ: 1.0, TRACKING: 1.1, RIG: 1.0, DRAWING: 1.5, CLIP: 1.0, LOADING: 1.0, DENOISING: 1.0}
GUESSED_FRAMES = 300  # until the first stage has counted them
FRAMES_OF_STEP = 10  # of the driving video for each denoising step, until those are counted
KNOWN_SHARE = 0.05  # of a stage, before its own speed is believed
MOST_SHARE = 0.99  # the end is told by the result
SLACK, SLACK_S = 1.25, 2.0  # a time left that grows by less is not told


@dataclass(frozen=True)
class Forecast:
    """``share`` of the whole done, 0 to 1, and seconds left, None before anything can be said."""

    stage: str
    share: float
    left_s: float | None


def stages_of(engine: str) -> tuple[str, ...]:
    """Those that will come, of an engine by its name."""
    known = capabilities_of(engine)
    if known is not None and known.device == GPU:
        return ON_GPU
    return ALL if known is None or known.follows_motion else UNFOLLOWED


class Pace:
    """Shares that never fall, and a time left that grows only where the work turns out to be far slower.

    ``stages`` are those that will come, in order. All times that are given are seconds of one monotonic clock; within,
    that clock stands still while the work waits.
    """

    def __init__(self, stages: tuple[str, ...], *, pro: bool, now_s: float) -> None:
        self._stages = stages
        self._pro = pro
        self._frames = GUESSED_FRAMES
        self._steps: int | None = None
        self._stage = stages[0]
        self._done = self._found = 0.0
        self._begun_s = self._stage_begun_s = now_s
        self._ended_s: dict[str, float] = {}
        self._share = 0.0
        self._left_s: float | None = None
        self._told_s = now_s
        self._wait_left: Callable[[], float | None] | None = None
        self._wait_begun_s = self._waited_s = 0.0

    @property
    def waited_s(self) -> float:
        """For how long it did, so far as that is over."""
        return self._waited_s

    def wait(self, left: Callable[[], float | None], now_s: float) -> None:
        """From now on the work waits; ``left`` tells for about how many seconds, None where nobody knows."""
        self._wait_left, self._wait_begun_s = left, now_s

    def go_on(self, now_s: float) -> None:
        """It waits no longer."""
        self._waited_s += now_s - self._wait_begun_s
        self._wait_left = None

    def tell(self, stage: str, done: int, total: int, now_s: float) -> None:
        """The work is at ``done`` of ``total`` in ``stage``; one that is not known counts for nothing."""
        if stage not in self._stages:
            return
        now_s = self._worked_until_s(now_s)
        if stage != self._stage:
            self._ended_s[self._stage] = now_s - self._stage_begun_s
            self._stage, self._stage_begun_s = stage, now_s
            # Denoising may go on where an earlier attempt at the task ended.
            self._found = min(done / total, 1.0) if total and stage == DENOISING else 0.0
        if stage == DENOISING and total:
            self._steps = total
        elif FRAME_S[stage] and total:
            self._frames = total
        self._done = min(done / total, 1.0) if total else 0.0

    def forecast(self, now_s: float) -> Forecast:
        told = self._forecast(self._worked_until_s(now_s))
        if self._wait_left is None:
            return told
        wait_s = self._wait_left()
        left_s = None if wait_s is None or told.left_s is None else round(wait_s + told.left_s, 1)
        return Forecast(WAITING, told.share, left_s)

    def _worked_until_s(self, now_s: float) -> float:
        return (now_s if self._wait_left is None else self._wait_begun_s) - self._waited_s

    def _forecast(self, now_s: float) -> Forecast:
        left_s = self._estimate_s(now_s)
        elapsed_s = now_s - self._begun_s
        share = min(elapsed_s / (elapsed_s + left_s), MOST_SHARE) if elapsed_s + left_s > 0 else 0.0
        self._share = max(self._share, share)
        if self._left_s is not None:
            counted_s = max(self._left_s - (now_s - self._told_s), 0.0)
            if left_s > counted_s and left_s < counted_s * SLACK + SLACK_S:
                left_s = min(left_s, self._left_s)
        known = bool(self._ended_s) or self._done >= KNOWN_SHARE
        self._told_s = now_s
        self._left_s = left_s if known else None
        return Forecast(self._stage, round(self._share, 4), None if not known else round(left_s, 1))

    def _estimate_s(self, now_s: float) -> float:
        """This stage's rest, by its own speed as far as that is known, and the later stages' by that of all so far."""
        spent_s = now_s - self._stage_begun_s
        slowness = self._slowness(spent_s)
        expected_s = self._usual_s(self._stage) * slowness
        rest_s = expected_s * (1 - self._done)
        made = self._done - self._found
        if not FRAME_S[self._stage]:  # its steps are few and uneven
            rest_s = max(expected_s - spent_s, rest_s / 4)
        elif made >= KNOWN_SHARE:
            rest_s = spent_s * (1 - self._done) / made
        later = self._stages[self._stages.index(self._stage) + 1 :]
        return rest_s + slowness * sum(self._usual_s(stage) for stage in later)

    def _slowness(self, spent_s: float) -> float:
        """How many times the usual seconds the work takes here, from what is done; 1 before that."""
        ended = self._ended_s.keys() - {
            LOADING
        }  # a warm model's takes no time, which says nothing of the rest
        took_s = sum(self._ended_s[stage] for stage in ended)
        usual_s = sum(self._usual_s(stage) for stage in ended)
        made = self._done - self._found
        if FRAME_S[self._stage] and made > 0:
            took_s += spent_s
            usual_s += self._usual_s(self._stage) * made
        weight_s = 1.0  # usual seconds that speak for 1
        return (took_s + weight_s) / (usual_s + weight_s)

    def _usual_s(self, stage: str) -> float:
        units: float = self._frames
        if stage == DENOISING:
            units = self._frames / FRAMES_OF_STEP if self._steps is None else self._steps
        return (START_S[stage] + FRAME_S[stage] * units) * (PRO[stage] if self._pro else 1.0)
