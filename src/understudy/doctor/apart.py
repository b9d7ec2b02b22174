"""Checks in a process of their own, so that a library that crashes takes nothing with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable

from understudy.doctor.check import SET_UP, Check

LIMIT_S = 120  # loading everything for the first time, from a slow disk
MARK = "understudy-doctor "  # before what is ours: libraries may write to stdout, too
ILLEGAL = "This processor lacks instructions that the package is built for; use another machine."


def apart(work: Callable[[], Check]) -> Check:
    """What ``work``, a module's function, finds in another process; if that one ends without an answer, how it did."""
    said, ended = run("check", work.__module__, work.__qualname__)
    if said:
        return Check(**said[-1])
    name = work.__qualname__.replace("_", " ")
    return Check(name, ended or "no answer", ILLEGAL if ended and "SIGILL" in ended else SET_UP)


def run(*arguments: str) -> tuple[list[dict[str, str]], str | None]:
    """What ``python -m understudy.doctor ...`` said, and how it ended unless it ended well."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "understudy.doctor", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"no answer: {type(error).__name__}"
    lines = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    return [json.loads(line) for line in lines], _ending(done)


def answer(**said: str | None) -> None:
    """Say one thing to the process that called `run`."""
    print(MARK + json.dumps(said), flush=True)


def _ending(done: subprocess.CompletedProcess[str]) -> str | None:
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"it crashes ({signal.Signals(-done.returncode).name})"
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
