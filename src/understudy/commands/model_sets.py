"""The sets of models that there are, each with the same few things to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy import config
from understudy.errors import ModelError, RequestError, UnderstudyError

TRACKER, MATTING = "tracker", "matting"
TRACKER_BYTES = 16 * 10**6


@dataclass(frozen=True)
class Row:
    """A set in the list. ``state`` is missing, partial, ready or damaged; ``commits`` are those of a manifest."""

    name: str
    state: str
    here_bytes: int
    size_bytes: int
    licences: tuple[str, ...]
    purpose: str
    folder: str
    note: str = ""
    commits: tuple[str, ...] = ()


class ModelSet(Protocol):
    name: str

    def row(self) -> Row: ...

    def pull(self, revision: str | None, source: Path | None) -> None:
        """Bring it here and say so. Raises ModelError and RequestError."""

    def verify(self) -> str:
        """Read all of it; what was found, in a sentence. Raises ModelError where something is wrong."""

    def folder(self) -> Path:
        """Where it lies. Raises ModelError where it is not whole."""


class TrackerSet:
    name = TRACKER

    def row(self) -> Row:
        from understudy.tracking.models import MODELS, model_path

        state, note = "ready", ""
        try:
            for model in MODELS:
                model_path(model)
        except UnderstudyError as error:
            state, note = _state(error), error.fix
        return Row(
            self.name,
            state,
            TRACKER_BYTES if state == "ready" else 0,
            TRACKER_BYTES,
            ("Apache-2.0, by MediaPipe's authors (github.com/google-ai-edge/mediapipe)",),
            "follows the performer: every video needs it",
            str(config.models_dir()),
            note,
        )

    def pull(self, revision: str | None, source: Path | None) -> None:
        from understudy.terminal import progress_bar, say
        from understudy.tracking.models import pull_tracker

        _takes_neither(self.name, revision, source)
        with progress_bar() as progress:
            paths = pull_tracker(progress)
        say(f"{len(paths)} model files in {paths[0].parent}")

    def verify(self) -> str:
        from understudy.tracking.models import MODELS

        folder = self.folder()
        return f"{len(MODELS)} files in {folder} are the published ones"

    def folder(self) -> Path:
        from understudy.tracking.models import MODELS, model_path

        return [model_path(model) for model in MODELS][-1].parent  # each is checked


class MattingSet:
    name = MATTING

    def row(self) -> Row:
        from understudy.engines.puppet.learned_matte import matter_for
        from understudy.engines.puppet.matting_weights import WEIGHTS
        from understudy.request import Matting

        state, here, note = "ready", WEIGHTS.size_bytes, ""
        try:
            matter_for(Matting.LEARNED)
        except UnderstudyError as error:
            here = WEIGHTS.part.stat().st_size if WEIGHTS.part.exists() else 0
            state = _state(error)
            if state == "missing" and here:
                state = "partial"
            note = error.fix
        return Row(
            self.name,
            state,
            here,
            WEIGHTS.size_bytes,
            (WEIGHTS.licence,),
            f"cuts the character out with --matting learned ({WEIGHTS.name})",
            str(WEIGHTS.path.parent),
            note,
        )

    def pull(self, revision: str | None, source: Path | None) -> None:
        from understudy.engines.puppet.learned_matte import matter_for
        from understudy.engines.puppet.matting_weights import MB, WEIGHTS, pull_matting
        from understudy.request import Matting
        from understudy.terminal import progress_bar, say

        _takes_neither(self.name, revision, source)
        say(f"{WEIGHTS.name}, {WEIGHTS.size_bytes / MB:.0f} MB, from {WEIGHTS.address}")
        say(f"licence: {WEIGHTS.licence}")
        with progress_bar() as progress:
            path = pull_matting(progress)
        say(f"{path}")
        try:
            matter_for(Matting.LEARNED)
        except ModelError as error:
            say(f"still to do: {error.message} {error.fix}")
        else:
            say("use it: understudy animate --matting learned, or UNDERSTUDY_MATTING=learned")

    def verify(self) -> str:
        from understudy.engines.puppet.matting_weights import weights_path

        return f"{weights_path()} is the published file"

    def folder(self) -> Path:
        from understudy.engines.puppet.matting_weights import weights_path

        return weights_path().parent


def _state(error: UnderstudyError) -> str:
    return "damaged" if error.code.endswith("corrupt") else "missing"


def _takes_neither(name: str, revision: str | None, source: Path | None) -> None:
    given = "--revision" if revision is not None else "--from" if source is not None else ""
    if given:
        raise RequestError(
            "models_option",
            f"The models {name!r} are one published version; {given} is for the GPU models' weights.",
            value=given,
            fix=f"Run `understudy models pull {name}` without it.",
        )


def model_set(name: str) -> ModelSet:
    """The set of that name. Raises RequestError ``models_unknown``."""
    sets = model_sets()
    if name not in sets:
        raise RequestError(
            "models_unknown",
            f"There are no models {name!r}.",
            value=name,
            limit=", ".join(sets),
            fix=f"Choose {', '.join(list(sets)[:-1])} or {list(sets)[-1]}.",
        )
    return sets[name]


def model_sets() -> Mapping[str, ModelSet]:
    from understudy.commands.weight_sets import GpuSet
    from understudy.engines.diffusion.weights import SETS

    sets: list[ModelSet] = [TrackerSet(), MattingSet()]
    sets += map(GpuSet, SETS.values())
    return {made.name: made for made in sets}
