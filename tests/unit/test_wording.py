"""What an error says to the sender of a request: no options of the command line, no paths."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import understudy
from understudy.errors import ClipError, EngineError, ModelError, PictureError, RequestError, UnderstudyError
from understudy.tasks.wording import MESSAGES, for_the_sender

# Errors about files that a request to the service cannot have.
OUT_OF_REACH = {
    "motion_missing",
    "motion_unreadable",
    "motion_video_mismatch",
    "sheet_without_video",
    "model_pull_failed",
    "matting_pull_failed",
    # Of pulling weights.
    "weights_busy",
    "weights_disk",
    "weights_folder",
    "weights_network",
    "weights_source",
    "weights_unknown",
    "video_missing",  # a request without a video ends in the form
    "provenance_failed",  # the parent's, as what follows
    "unavailable",
}
ROOMS = ("animate.py", "media", "tracking", "engines")


def advice() -> list[tuple[str, str]]:
    """Code and fix of every error that the rooms on a render's way can raise, as far as they are written out."""
    root = Path(str(understudy.__file__)).parent
    files = [
        file
        for room in ROOMS
        for file in ([root / room] if room.endswith(".py") else (root / room).rglob("*.py"))
    ]
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            fixes = [word.value for word in node.keywords if word.arg == "fix"]
            code = node.args[0]
            if fixes and isinstance(code, ast.Constant):
                found.append((str(code.value), ast.unparse(fixes[0])))
    return found


def test_the_search_finds_errors() -> None:
    codes = {code for code, _ in advice()}
    assert {"character_not_found", "clip_too_long", "picture_aspect", "motion_missing"} <= codes


@pytest.mark.parametrize(
    "word", ["--", "understudy ", "PULL", "path", "variable", "VARIABLE", "disk", "folder"]
)
def test_advice_for_the_command_line_is_reworded(word: str) -> None:
    said = {code for code, fix in advice() if word in fix}
    assert said - OUT_OF_REACH <= {code for code, (_, fix) in MESSAGES.items() if fix is not None}


def test_no_wording_speaks_of_options() -> None:
    for message, fix in MESSAGES.values():
        for text in (message, fix):
            assert text is None or ("--" not in text and text.endswith("."))


def test_pictures_and_clips_are_called_by_their_full_names() -> None:
    small = PictureError(
        "picture_too_small", "The picture has 1x1 pixels.", value="1x1 px", limit="300 px", fix="X."
    )
    said = for_the_sender(small)
    assert type(said) is PictureError
    assert said.message == "The reference image has 1x1 pixels."
    assert (said.code, said.value, said.limit, said.fix) == ("picture_too_small", "1x1 px", "300 px", "X.")
    long = ClipError("clip_too_long", "The video lasts 40 s. The video is long.", fix="Cut it.")
    assert for_the_sender(long).message == "The driving video lasts 40 s. The video is long."


def test_other_errors_stay_as_they_are() -> None:
    error = RequestError("engine_unknown", "The picture and the video.", value="x", limit="y", fix="Z.")
    said = for_the_sender(error)
    assert (said.message, said.value, said.limit, said.fix) == ("The picture and the video.", "x", "y", "Z.")


def test_a_full_disk_is_the_operators_matter() -> None:
    for code in ("segments_unwritable", "segments_room"):
        said = for_the_sender(EngineError(code, "/data has 1 GB.", value="1 GB", limit="2 GB", fix="--x /y"))
        assert "disk" in said.message
        assert said.fix.startswith("Try again later.")
        assert "/" not in f"{said.message}{said.value}{said.limit}{said.fix}"


def test_an_engines_failure_sends_nobody_to_the_log() -> None:
    said = for_the_sender(EngineError("engine_failed", "It failed (KeyError).", fix="See the worker's log."))
    assert said.message == "It failed (KeyError)."
    assert "log" not in said.fix


def test_the_operators_paths_stay_here() -> None:
    for code, command in (("model_corrupt", "models pull tracker"), ("weights_partial", "engines")):
        error = ModelError(code, "The model at /home/me is bad.", value="/home/me", limit="/x", fix="/y")
        said: UnderstudyError = for_the_sender(error)
        assert "/" not in f"{said.message}{said.value}{said.limit}{said.fix}"
        assert f"`understudy {command}`" in said.fix
