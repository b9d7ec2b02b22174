"""The command line: exit codes, words instead of tracebacks, and names that mean harm."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import typer
from following_engine import Following
from made_clips import make_clip, pattern
from made_motion import performance
from PIL import Image

from understudy import EngineError, Matting, ModelError, Result, cli
from understudy.engines.puppet import matting_weights as weights
from understudy.engines.registry import ENGINES
from understudy.media.clip import probe
from understudy.media.encode import VideoWriter

road = importlib.import_module("understudy.animate")
tracking = importlib.import_module("understudy.tracking.clip_tracking")
networks = importlib.import_module("understudy.tracking.mediapipe_tracker")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line as ``understudy`` starts it, in this process."""

    def start(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["understudy", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        terminated = signal.getsignal(signal.SIGTERM)
        try:
            cli.main()
        except SystemExit as left:
            code = left.code or 0
        finally:
            signal.signal(signal.SIGTERM, terminated)
        told = capsys.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in told.out + told.err
        return Said(code, told.out, told.err)

    return start


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    Image.fromarray(pattern(300, 300)).save(folder / "picture.png")
    return folder / "picture.png", make_clip(folder / "clip.mp4", [pattern(340, 340)] * 30, fps=Fraction(10))


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tracking is made up: what the command line does is tried, not what the tracker sees."""

    def follow(frames: Any, *rest: object) -> object:
        for _ in frames:
            pass
        return performance(30, 10)

    monkeypatch.setattr(tracking, "track_clip", follow)
    monkeypatch.setattr(networks, "MediaPipeTracker", lambda **_: None)
    monkeypatch.setitem(ENGINES, "fake", lambda *_: Following())
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / ".data"))


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        found.append(path)
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))

    walk(typer.main.get_command(cli.app), ())
    return found


def animate(run: Run, pair: tuple[Path, Path], output: Path, *more: object) -> Said:
    return run(
        *("animate", "--image", pair[0], "--video", pair[1], "--engine", "fake", "--no-provenance"),
        *("--output", output, *more),
    )


def is_one_error(said: Said, code: str) -> None:
    """One line on what is wrong, one on what to do, nothing else."""
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 2, said.err
    assert lines[0].startswith("error ")
    assert lines[0].endswith(f"[{code}]")
    assert lines[1].startswith("do ")
    assert len(lines[1]) > 10


def test_the_commands_are_these() -> None:
    wanted = {
        (),
        ("animate",),
        ("rig",),
        ("evaluate",),
        ("demo",),
        ("engines",),
        ("models",),
        ("models", "pull"),
        ("models", "list"),
    }
    assert wanted <= set(commands())


@pytest.mark.parametrize("path", commands(), ids=lambda path: " ".join(path) or "understudy")
def test_help_of_every_command(run: Run, path: tuple[str, ...]) -> None:
    said = run(*path, "--help")
    assert said.code == 0
    assert said.err == ""
    assert said.out.startswith(f"Usage: understudy{''.join(' ' + word for word in path)}")


@pytest.mark.parametrize("path", commands(), ids=lambda path: " ".join(path) or "understudy")
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(cli.app)
    for word in path:
        command = command.commands[word]
    assert command.help
    silent = [
        option.name
        for option in command.params
        if option.param_type_name == "option"
        and not option.help
        # The same words twice help nobody: where `animate` says what these are, that is enough.
        and option.name not in {"mode", "orientation"}
    ]
    assert silent == []


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    said = run()
    assert "Usage: understudy" in said.out + said.err
    assert "animate" in said.out + said.err


def test_a_made_video_is_named(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    said = animate(run, pair, tmp_path / "made.mp4", "--watermark", "--sheet", tmp_path / "s.png")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == str(tmp_path / "made.mp4")
    assert lines[1].startswith(str(tmp_path / "made-watermarked.mp4"))
    assert lines[2].startswith(str(tmp_path / "s.png"))
    assert "300 x 300, 30 frames at 10/s, 3.00 s, sound: no; engine fake" in lines[3]
    assert probe(tmp_path / "made.mp4").frame_count == 30


def test_what_is_left_out_is_told(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def partly(frames: Any, *rest: object) -> object:
        list(frames)
        motion = performance(30, 10)
        motion.body[:4] = float("nan")
        return motion

    monkeypatch.setattr(tracking, "track_clip", partly)
    said = animate(run, pair, tmp_path / "made.mp4", "--no-limits")
    assert said.code == 0
    assert "left out (untracked): The driving video from 0.00 to 0.40 s is not used." in said.out
    assert "begins at 0.400 s of the driving video (evaluate --start)" in said.out


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"--image": "nowhere.png"}, "picture_unreadable"),
        ({"--video": "nowhere.mp4"}, "clip_unreadable"),
        ({"--output": "made.avi"}, "output_suffix"),
        ({"--output": "nowhere/made.mp4"}, "output_folder"),
        ({"--engine": "magic"}, "engine_unknown"),
        ({"--motion": "nowhere.npz"}, "motion_unreadable"),
    ],
)
def test_wrong_input_is_exit_code_2(
    run: Run,
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {
        "--image": pair[0],
        "--video": pair[1],
        "--output": "made.mp4",
        "--engine": "fake",
        **changed,
    }
    said = run("animate", *(word for option in options.items() for word in option))
    assert said.code == 2
    is_one_error(said, code)


def test_neither_video_nor_motion_is_exit_code_2(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    said = run("animate", "--image", pair[0], "--output", tmp_path / "made.mp4", "--engine", "fake")
    assert said.code == 2
    is_one_error(said, "motion_missing")


@pytest.mark.parametrize(
    "error",
    [
        EngineError("engine_broke", "It broke.", fix="Try once more."),
        ModelError("model_missing", "It is missing.", fix="Pull it."),
    ],
)
def test_what_is_not_the_users_fault_is_exit_code_1(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tracking, "track_clip", fails)
    said = animate(run, pair, tmp_path / "made.mp4")
    assert said.code == 1
    is_one_error(said, error.code)  # type: ignore[attr-defined]


def test_an_interrupt_is_exit_code_130(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking, "track_clip", interrupted)
    assert animate(run, pair, tmp_path / "made.mp4").code == 130
    assert not list(tmp_path.glob("*.mp4"))


def test_sigterm_clears_away_and_is_exit_code_143(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unheard(*_: object) -> None:
        raise AssertionError("SIGTERM was not taken")

    before = signal.signal(signal.SIGTERM, unheard)
    begun: list[Path] = []

    def killed(*_: object) -> None:
        begun.extend(tmp_path.glob(".made*.part"))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(VideoWriter, "write", killed)
    try:
        said = animate(run, pair, tmp_path / "made.mp4", "--watermark")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said.code == 143
    assert len(begun) == 2
    assert list(tmp_path.glob("*made*")) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("animate",), "--image"),
        (("animate", "--image", "a.png"), "--output"),
        (("animate", "--image", "a", "--output", "b.mp4", "--mode", "4k"), "std"),
        (("animate", "--image", "a", "--output", "b.mp4", "--orientation", "up"), "video"),
        (("animate", "--image", "a", "--output", "b.mp4", "--threads", "0"), "threads"),
        (("animate", "--nonsense"), "--nonsense"),
        (("dance",), "dance"),
        (("models", "push"), "push"),
    ],
)
def test_usage_errors_are_exit_code_2(run: Run, arguments: tuple[str, ...], word: str) -> None:
    said = run(*arguments)
    assert said.code == 2
    assert word in said.err


HOSTILE = (
    "two words.mp4",
    "[bold]x.mp4",
    "-dash.mp4",
    "--help.mp4",
    "%s{0}$HOME.mp4",
    "ü🙂.mp4",
    "back\\[slash\\].mp4",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said = animate(run, pair, tmp_path / name)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == str(tmp_path / name)
    # Without a folder before it a leading dash is still a name.
    monkeypatch.chdir(tmp_path)
    again = animate(run, pair, Path(name))
    assert (again.code, again.out.splitlines()[0]) == (0, name)
    assert [path.name for path in tmp_path.glob("*.mp4")] == [name]


@pytest.mark.parametrize("option", ["--image", "--video", "--output", "--motion", "--engine", "--sheet"])
def test_a_hostile_name_in_an_error_stays_one_error(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"--image": pair[0], "--video": pair[1], "--output": "out.mp4", "--engine": "fake"}
    for name in ("[bold]x.mp4", "[red]x[", "-dash", "%s{0}", "line\nbreak", "a" * 500, "colour\x1b[31m"):
        value = f"nowhere/{name}" if option in {"--output", "--sheet"} else name
        said = run("animate", *(f"{k}={v}" for k, v in {**options, option: value}.items()))
        assert said.code == 2
        is_one_error(said, said.err.splitlines()[0].rsplit("[", 1)[1].rstrip("]"))
        assert "\x1b" not in said.err


@pytest.fixture
def fresh_terminal() -> Iterator[None]:
    """A text that could not be written stays in the console's buffer: away with it."""
    yield
    importlib.reload(importlib.import_module("understudy.terminal"))


@pytest.mark.usefixtures("fresh_terminal")
@pytest.mark.parametrize(
    "name",
    [
        "x:boom:.mp4",
        "colour\x1b[31m.mp4",
        "bytes\udcff.mp4",
    ],
    ids=["emoji code", "terminal code", "not UTF-8"],
)
def test_a_name_that_a_terminal_would_obey(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    said = animate(run, pair, tmp_path / name)
    assert said.code == 0
    assert "\x1b" not in said.out
    if "boom" in name:
        assert said.out.splitlines()[0] == str(tmp_path / name)


def test_demo_makes_its_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def fake(image: Path, video: Path, **options: Any) -> Result:
        asked.update(options, image=image, video=video)
        return Result(options["output"], 720, 1280, 30.0, 90, 3.0, "puppet", "tracker", sound=False)

    monkeypatch.setattr(road, "animate", fake)
    output = tmp_path / "some" / "where" / "demo.mp4"
    said = run("demo", "--output", output)
    assert (said.code, said.out.splitlines()[0]) == (0, str(output))
    assert output.parent.is_dir()
    assert asked["sheet"] == output.with_suffix(".png")
    assert asked["image"].suffix == ".png"
    assert asked["video"].suffix == ".mp4"


def test_demo_where_a_file_stands_in_the_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    said = run("demo", "--output", tmp_path / "file" / "demo.mp4")
    assert said.code == 2
    is_one_error(said, "output_folder")


def test_rig_says_how_the_character_was_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = importlib.import_module("understudy.engines.puppet.sheet")
    asked: dict[str, Any] = {}

    def write(image: Path, sheet: Path, **options: Any) -> str:
        asked.update(options)
        return "silhouette"

    monkeypatch.setattr(sheets, "write_rig_sheet", write)
    said = run("rig", "--image", "a.png", "--sheet", tmp_path / "s.png")
    assert said.code == 0
    assert asked["matting"] is Matting.OWN
    assert said.out == f"{tmp_path / 's.png'}  (character found by: silhouette)\n"


def test_rig_of_nothing_is_one_error(run: Run, tmp_path: Path) -> None:
    said = run("rig", "--image", tmp_path / "nowhere.png", "--sheet", tmp_path / "s.png")
    assert said.code == 2
    is_one_error(said, "picture_unreadable")


def test_matting_is_chosen_by_option_before_variable(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Matting] = []

    def write(image: Path, sheet: Path, *, matting: Matting, **_: Any) -> str:
        asked.append(matting)
        return "tracker"

    monkeypatch.setattr(importlib.import_module("understudy.engines.puppet.sheet"), "write_rig_sheet", write)
    command = ("rig", "--image", "a.png", "--sheet", tmp_path / "s.png")
    monkeypatch.setenv("UNDERSTUDY_MATTING", "learned")
    run(*command)
    run(*command, "--matting", "own")
    assert asked == [Matting.LEARNED, Matting.OWN]
    monkeypatch.setenv("UNDERSTUDY_MATTING", "magic")
    said = run(*command)
    assert said.code == 2
    assert "magic" in said.err


def test_a_learned_matte_that_is_not_here_is_told_before_any_work(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(tracking, "track_clip", lambda *_: pytest.fail("tracked"))
    said = animate(run, pair, tmp_path / "made.mp4", "--engine", "puppet", "--matting", "learned")
    assert said.code == 1
    is_one_error(said, "matting_missing")
    assert "understudy models pull matting" in said.err


def test_evaluate_without_files_is_one_error(run: Run) -> None:
    said = run("evaluate")
    assert said.code == 2
    is_one_error(said, "evaluate_incomplete")


def test_models_that_are_unknown(run: Run) -> None:
    said = run("models", "pull", "[bold]everything")
    assert said.code == 2
    is_one_error(said, "models_unknown")
    assert "[bold]everything" in said.err


def test_the_list_of_models_says_what_is_here(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path))
    said = run("models", "list").out
    rows = [row.splitlines() for row in re.split(r"\n(?! )", said.strip())]
    assert [row[0].split()[:2] for row in rows] == [
        ["tracker", "missing"],
        ["matting", "missing"],
        ["wan-animate-2", "missing"],
        ["wan-animate-1", "missing"],
    ]
    for name, row in zip(("tracker", "matting", "wan-animate-2", "wan-animate-1"), rows, strict=True):
        assert any("Apache-2.0" in line for line in row)
        assert f"understudy models pull {name}" in row[-1]
    (tmp_path / "isnet-general-use.onnx.part").write_bytes(bytes(2 * 10**6))
    assert "179 MB, 2 MB here" in run("models", "list").out
    (tmp_path / "isnet-general-use.onnx").write_bytes(b"x")
    assert re.search(r"^matting +damaged ", run("models", "list").out, re.MULTILINE)


def test_pulling_the_matte_says_what_comes_and_from_where(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"a network"
    known = replace(weights.WEIGHTS, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(weights, "WEIGHTS", known)
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path))
    known.path.write_bytes(content)
    said = run("models", "pull", "matting")
    assert (said.code, said.err) == (0, "")
    assert "github.com/danielgatis/rembg" in said.out
    assert "licence: Apache-2.0" in said.out
    assert str(known.path) in said.out
    assert "--matting learned" in said.out


def test_a_real_process_ends_with_the_code_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "understudy.cli", "models", "pull", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[models_unknown]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_package_runs_as_a_module() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "understudy", "--help"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("Usage: understudy")


def test_a_scene_and_a_seed_are_asked_for(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "made.mp4"
    said = animate(run, pair, output, "--seed", 3, "--scene", "image")
    assert said.code == 0
    assert "; seed" not in said.out  # of an engine without noise
    for wrong in (("--scene", "sky"), ("--seed", -1), ("--seed", 2**31), ("--seed", "x")):
        assert animate(run, pair, output, *wrong).code == 2
    said = animate(run, pair, tmp_path / "other.mp4", "--scene", "video")
    assert said.code == 2
    is_one_error(said, "scene_unknown")
    assert not (tmp_path / "other.mp4").exists()
