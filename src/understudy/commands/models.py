"""``understudy models``: the networks' files, which only these commands download."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from understudy.commands.model_sets import TRACKER, Row, model_set, model_sets
from understudy.commands.opening import JsonOption
from understudy.errors import ModelError

GB, MB = 10**9, 10**6
NAMES = "Which: tracker, matting, wan-animate-2 or wan-animate-1."

app = typer.Typer(
    help="The networks' files: the tracker's, the learned matte's, the GPU models'.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help=NAMES)] = TRACKER,
    revision: Annotated[
        str | None, typer.Option(help="Another commit of the GPU model's repository than the one known.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder that holds the GPU model's weights, instead of the network."),
    ] = None,
) -> None:
    """Download a set of model files and check them. What broke off goes on where it stopped."""
    model_set(name).pull(revision, source)


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """Show each set: whether it is here, how large it is, under which licence."""
    from understudy.terminal import say

    rows = [each.row() for each in model_sets().values()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        say(_lines(row))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help=f"{NAMES} Default: all that are here.")] = None,
) -> None:
    """Read every byte of what is here and hold it to its checksum. Exit code 1 if something is wrong."""
    from understudy.terminal import complain, say

    if name is not None:
        say(f"{name}: {model_set(name).verify()}")
        return
    wrong = False
    for each in model_sets().values():
        if each.row().state == "missing":
            say(f"{each.name}: not here")
            continue
        try:
            say(f"{each.name}: {each.verify()}")
        except ModelError as error:
            complain(error)
            wrong = True
    if wrong:
        raise typer.Exit(1)


@app.command()
def path(name: Annotated[str, typer.Argument(help=NAMES)]) -> None:
    """Print the folder in which a set lies, if it is whole."""
    from understudy.terminal import say

    say(str(model_set(name).folder()))


def _lines(row: Row) -> str:
    size = _size(row.size_bytes)
    if row.here_bytes and row.state != "ready":
        size += f", {_size(row.here_bytes)} here"
    lines = [f"{row.name:<15}{row.state:<9}{size:<24}{row.purpose}", *row.licences]
    if row.note:
        lines.append(row.note)
    return f"\n{'':15}".join(lines)


def _size(count: int) -> str:
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.0f} MB"
