"""What the command line shows: progress bars with the time left, the result, an error and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from understudy.errors import UnderstudyError
from understudy.progress import Progress as Report
from understudy.request import Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


@cache
def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # loaded when something is shown: a command's help needs it not

    return Console(stderr=stderr, highlight=False)


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A bar for each stage, on stderr; where that is no terminal, nothing is drawn."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    bars: dict[str, TaskID] = {}
    console = _console(stderr=True)
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=5) as bar:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = bar.add_task(stage, total=total or None)
            bar.update(bars[stage], completed=done, total=total or None)

        yield report


def plain(text: str) -> str:
    """The text with what a terminal would obey, and what it cannot write, shown as an escape."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return shown.encode("utf-8", "backslashreplace").decode()


def say(text: str) -> None:
    _console(stderr=False).print(plain(text), markup=False, emoji=False, soft_wrap=True)


def show_result(result: Result) -> None:
    """Where the video lies, what it is, and what is not in it."""
    say(f"{result.path}")
    if result.watermark_path:
        say(f"{result.watermark_path}  (marked)")
    if result.sheet_path:
        say(f"{result.sheet_path}  (contact sheet)")
    work = sum(result.timings_s.values())
    say(
        f"{result.width} x {result.height}, {result.frames} frames at {result.fps:.4g}/s, {result.duration_s:.2f} s, "
        f"sound: {'yes' if result.sound else 'no'}; engine {result.engine}, character found by "
        f"{result.character_found_by}; {work:.1f} s of work"
        + (f"; seed {result.seed}" if result.seed is not None else "")
    )
    if result.driving_start_s > 0:
        say(f"begins at {result.driving_start_s:.3f} s of the driving video (evaluate --start)")
    for part in result.left_out:
        say(f"left out ({part.what}): {part.detail}")


def complain(error: UnderstudyError) -> None:
    """One error: what is wrong, then what to do."""
    from rich.text import Text

    console = _console(stderr=True)
    wrong = Text.assemble(("error", "bold red"), " ", plain(error.message), (f" [{error.code}]", "dim"))
    console.print(wrong, soft_wrap=True)
    console.print(Text.assemble(("do", "bold"), "    ", plain(error.fix)), soft_wrap=True)
