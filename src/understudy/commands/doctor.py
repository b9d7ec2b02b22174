"""``understudy doctor``: what is missing here, and what to do about it."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Say it as JSON: a list of name, found, fix, good.")
    ] = False,
) -> None:
    """Check whether this installation can make a video, and say what to do where it cannot: exit code 1."""
    from understudy.doctor import examine
    from understudy.terminal import say

    checks = examine()
    if as_json:
        typer.echo(json.dumps([check.as_json() for check in checks], indent=2))
    else:
        for check in checks:
            say(f"{'ok     ' if check.good else 'problem'}  {check.name}: {check.found}")
            if check.fix:
                say(f"         do: {check.fix}")
    if not all(check.good for check in checks):
        raise typer.Exit(1)
