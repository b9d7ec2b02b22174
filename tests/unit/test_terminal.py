"""What is shown: words as they are, one line each, and a bar only where somebody looks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from understudy import LeftOut, RequestError, Result, terminal

MARKUP = ("[bold]x[/]", "[/]", "[red", "]]", "a[0]", "[link=file:///]x[/link]", "back\\slash")


def result(**changed: object) -> Result:
    given: dict[str, object] = {
        "path": Path("made.mp4"),
        "width": 720,
        "height": 1280,
        "fps": 29.97002997,
        "frames": 90,
        "duration_s": 3.003,
        "engine": "puppet",
        "character_found_by": "tracker",
        "sound": True,
        "timings_s": {"read": 0.1, "drawing": 2.34},
        **changed,
    }
    return Result(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [*MARKUP, "[b]\\"])
def test_words_are_said_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_long_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("word " * 100)
    terminal.complain(RequestError("code", "Long. " * 100, fix="Fix. " * 100))
    told = capsys.readouterr()
    assert told.out.count("\n") == 1
    assert told.err.count("\n") == 2


def test_a_result_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_result(
        result(
            watermark_path=Path("marked.mp4"),
            sheet_path=Path("sheet.png"),
            left_out=(LeftOut("face", "It stays [as it is]."), LeftOut("prompt", "Not read.")),
        )
    )
    assert capsys.readouterr().out.splitlines() == [
        "made.mp4",
        "marked.mp4  (marked)",
        "sheet.png  (contact sheet)",
        "720 x 1280, 90 frames at 29.97/s, 3.00 s, sound: yes; engine puppet, character found by tracker; "
        "2.4 s of work",
        "left out (face): It stays [as it is].",
        "left out (prompt): Not read.",
    ]


def test_a_result_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_result(result(sound=False))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "sound: no" in lines[1]


@pytest.mark.parametrize("text", MARKUP)
def test_an_error_is_told_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.complain(RequestError("some_code", f"Wrong: {text}.", fix=f"Use {text}."))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"error Wrong: {text}. [some_code]\ndo    Use {text}.\n"


def test_nothing_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress_bar() as report:
        report("tracking", 1, 10)
        report("tracking", 10, 10)
    told = capsys.readouterr()
    assert told.out + told.err == ""


def test_a_bar_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(terminal, "_console", lambda **_: console)
    with terminal.progress_bar() as report:
        report("tracking", 0, 0)  # as long as the total is not known
        report("tracking", 12, 10)  # a clip may hold more frames than it says
        report("drawing", 3, 10)
    assert "tracking" in screen.getvalue()
    assert "drawing" in screen.getvalue()
    assert "3/10" in screen.getvalue()


def test_an_error_passes_through_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(terminal, "_console", lambda **_: console)

    def fails() -> None:
        with terminal.progress_bar() as report:
            report("tracking", 1, 2)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
