"""``understudy models``: the networks' files, which only these commands download."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.errors import ModelError, RequestError, UnderstudyError

TRACKER, MATTING = "tracker", "matting"
SETS = (TRACKER, MATTING)

app = typer.Typer(
    help="The networks' files: the tracker's, which every video needs, and the learned matte's.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def pull(name: Annotated[str, typer.Argument(help="Which: tracker or matting.")] = TRACKER) -> None:
    """Download a set of model files and check them. What broke off goes on where it stopped."""
    if name not in SETS:
        raise RequestError(
            "models_unknown",
            f"There are no models {name!r}.",
            value=name,
            limit=", ".join(SETS),
            fix=f"Pull {' or '.join(SETS)}.",
        )
    (_pull_tracker if name == TRACKER else _pull_matting)()


@app.command("list")
def list_models() -> None:
    """Show each set: whether it is here, how large it is, under which licence."""
    from understudy.terminal import say

    for name, state, about in (_tracker(), _matting()):
        say(f"{name:<10}{state:<12}{about}")


def _pull_tracker() -> None:
    from understudy.terminal import progress_bar, say
    from understudy.tracking.models import pull_tracker

    with progress_bar() as progress:
        paths = pull_tracker(progress)
    say(f"{len(paths)} model files in {paths[0].parent}")


def _pull_matting() -> None:
    from understudy.engines.puppet.learned_matte import matter_for
    from understudy.engines.puppet.matting_weights import MB, WEIGHTS, pull_matting
    from understudy.request import Matting
    from understudy.terminal import progress_bar, say

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


def _tracker() -> tuple[str, str, str]:
    from understudy.tracking.models import MODELS, model_path

    about = f"{len(MODELS)} files, 16 MB, Apache-2.0, by MediaPipe's authors (github.com/google-ai-edge/mediapipe)"
    try:
        for model in MODELS:
            model_path(model)
    except UnderstudyError as error:
        return TRACKER, _state(error), f"{about}. {error.fix}"
    return TRACKER, "ready", about


def _matting() -> tuple[str, str, str]:
    from understudy.engines.puppet.learned_matte import matter_for
    from understudy.engines.puppet.matting_weights import MB, WEIGHTS
    from understudy.request import Matting

    about = f"{WEIGHTS.name}, {WEIGHTS.size_bytes / MB:.0f} MB, {WEIGHTS.licence}"
    try:
        matter_for(Matting.LEARNED)
    except UnderstudyError as error:
        if WEIGHTS.part.exists():
            about += f"; {WEIGHTS.part.stat().st_size / MB:.0f} MB are here"
        return MATTING, _state(error), f"{about}. {error.fix}"
    return MATTING, "ready", about


def _state(error: UnderstudyError) -> str:
    return "damaged" if error.code.endswith("corrupt") else "missing"
