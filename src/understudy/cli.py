"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from understudy.commands import accounts, keys, models, tasks, unloadable, webhooks
from understudy.commands.demo import demo
from understudy.commands.doctor import doctor
from understudy.commands.engines import engines
from understudy.commands.serve import serve, worker
from understudy.config import PREFIX
from understudy.errors import UnderstudyError
from understudy.request import MOST_SEED, Matting, Mode, Orientation, Scene

app = typer.Typer(
    name="understudy",
    help="A character's picture and a driving video in, a video of that character moving so out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ImageOption = Annotated[
    Path, typer.Option("--image", help="The reference image: JPEG, PNG, WebP, AVIF, BMP or GIF.")
]
MotionOption = Annotated[
    Path | None, typer.Option("--motion", help="A motion saved earlier, instead of a video.")
]
JointsOption = Annotated[
    Path | None, typer.Option("--joints", help="The character's joints, for one not found.")
]
LimitsOption = Annotated[
    bool, typer.Option("--limits/--no-limits", help="The API's limits on size and duration.")
]
MattingOption = Annotated[
    Matting,
    typer.Option(
        envvar=f"{PREFIX}MATTING",
        help="How the character is cut out: learned needs the extra matting and `models pull matting`.",
    ),
]


@app.command()
def animate(
    image: ImageOption,
    output: Annotated[Path, typer.Option(help="The mp4 to write.")],
    video: Annotated[Path | None, typer.Option(help="The driving video: MP4, MOV, MKV or WebM.")] = None,
    orientation: Annotated[
        Orientation, typer.Option(help="Whose facing the output has.")
    ] = Orientation.VIDEO,
    mode: Annotated[Mode, typer.Option(help="Short side: std 720 pixels, pro 1080.")] = Mode.STD,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Keep the driving video's sound.")] = True,
    watermark: Annotated[
        bool, typer.Option("--watermark", help="Write a second, visibly marked file.")
    ] = False,
    prompt: Annotated[str, typer.Option(help="Words for engines that read them.")] = "",
    sheet: Annotated[
        Path | None, typer.Option(help="A contact sheet to write, as PNG; needs --video.")
    ] = None,
    motion: MotionOption = None,
    save_motion: Annotated[Path | None, typer.Option(help="Keep the motion for later, as .npz.")] = None,
    joints: JointsOption = None,
    limits: LimitsOption = True,
    engine: Annotated[str, typer.Option(help="How the video is made: see `understudy engines`.")] = "puppet",
    scene: Annotated[
        Scene, typer.Option(help="What is around the character: the picture's background or the video.")
    ] = Scene.IMAGE,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_SEED, help="For another video of the same inputs; default: 0."),
    ] = None,
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Sign the result (C2PA).")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processor threads; default: all, at most 4.")
    ] = None,
    matting: MattingOption = Matting.OWN,
) -> None:
    """Make the character of IMAGE perform what happens in VIDEO."""
    from understudy.animate import animate as run
    from understudy.terminal import progress_bar, show_result

    with progress_bar() as progress:
        result = run(
            image,
            video,
            output=output,
            orientation=orientation,
            mode=mode,
            sound=sound,
            watermark=watermark,
            prompt=prompt,
            sheet=sheet,
            motion=motion,
            save_motion=save_motion,
            joints=joints,
            limits=limits,
            engine=engine,
            provenance=provenance,
            threads=threads,
            matting=matting,
            scene=scene,
            seed=seed,
            progress=progress,
        )
    show_result(result)


@app.command()
def rig(
    image: ImageOption,
    sheet: Annotated[Path, typer.Option(help="The PNG to write.")],
    mode: Annotated[Mode, typer.Option()] = Mode.STD,
    joints: JointsOption = None,
    limits: LimitsOption = True,
    matting: MattingOption = Matting.OWN,
) -> None:
    """Look inside: how the character of IMAGE is cut out, without any video.

    The sheet shows its matte, its parts, the rest pose, the background behind it, six exercises that take every joint
    far, and each part turned by 60 degrees on magenta.
    """
    from understudy.engines.puppet.sheet import write_rig_sheet
    from understudy.terminal import progress_bar, say

    with progress_bar() as progress:
        found_by = write_rig_sheet(
            image, sheet, mode=mode, joints=joints, limits=limits, matting=matting, progress=progress
        )
    say(f"{sheet}  (character found by: {found_by})")


@app.command()
def evaluate(
    image: Annotated[Path | None, typer.Option(help="The reference image.")] = None,
    video: Annotated[Path | None, typer.Option(help="The driving video.")] = None,
    output: Annotated[Path | None, typer.Option(help="The video to judge.")] = None,
    orientation: Annotated[Orientation, typer.Option()] = Orientation.VIDEO,
    self_reenactment: Annotated[
        bool, typer.Option("--self", help="The reference is a frame of the driving video.")
    ] = False,
    start: Annotated[
        float, typer.Option(help="Second of the driving video at which the output begins.")
    ] = 0.0,
    pairs: Annotated[
        Path | None, typer.Option(help="A list of pairs (JSON) to make and judge instead.")
    ] = None,
    media: Annotated[Path | None, typer.Option(help="Folder of the pairs' files.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the pairs' results go.")] = Path("out"),
    sheet: Annotated[Path | None, typer.Option(help="A contact sheet to write, as PNG.")] = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Folder for sheets of the face and both hands at full size; sheets of an earlier run there go."
        ),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Frames from one crop to the next.")] = 10,
) -> None:
    """Measure how well a result follows its driving video; figures as JSON."""
    from understudy.evaluation.command import evaluate_one, evaluate_pairs
    from understudy.terminal import progress_bar

    with progress_bar() as progress:
        if pairs is not None:
            text = evaluate_pairs(pairs, media, folder, progress=progress)
        else:
            text = evaluate_one(
                image,
                video,
                output,
                orientation,
                self_reenactment=self_reenactment,
                start_s=start,
                sheet=sheet,
                crops=crops,
                every=every,
                progress=progress,
            )
    typer.echo(text)


app.command()(demo)
app.command()(doctor)
app.command()(engines)
app.command()(serve)
app.command()(worker)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(tasks.app, name="tasks")


def _leave(number: int, _: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not break off the clearing away
    sys.exit(128 + number)


def main() -> None:
    """Run; an error that we can explain is one line on stderr and exit code 1 (2 for wrong input).

    SIGTERM leaves as an exception, so that what is half written is cleared away: exit code 143.
    """
    from understudy.errors import InputError

    signal.signal(signal.SIGTERM, _leave)
    # The stages of a job share the cores; NumPy's own threads would wait for work on them, spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app(prog_name="understudy")
    except UnderstudyError as error:
        from understudy.terminal import complain

        complain(error)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except ImportError as error:
        explained = unloadable(error)
        if explained is None:
            raise
        from understudy.terminal import complain

        complain(explained)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
