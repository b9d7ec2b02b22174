"""``understudy demo``: the first video, of the project's own sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OUTPUT = Path("demo") / "understudy-demo.mp4"


def demo(output: Annotated[Path, typer.Option(help="Where the video goes.")] = OUTPUT) -> None:
    """Make a video of the project's own sample and say where it lies.

    Fetches the tracker's models where they are not here yet.
    """
    from understudy.animate import animate
    from understudy.media.whole_file import make_folder
    from understudy.sample import character_path, clip_path
    from understudy.terminal import progress_bar, say, show_result
    from understudy.tracking.models import DOWNLOAD_MB, lacking_models, pull_tracker

    make_folder(output.parent)
    if lacking_models():
        say(f"The tracker's models are fetched first: {DOWNLOAD_MB} MB, once.")
        with progress_bar() as progress:
            pull_tracker(progress)
    with progress_bar() as progress:
        result = animate(
            character_path(), clip_path(), output=output, sheet=output.with_suffix(".png"), progress=progress
        )
    show_result(result)
