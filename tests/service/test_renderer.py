"""Renders in real, confined child processes: what comes out, and how each way of going wrong ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import beep, first_sound_s, make_clip, pattern
from PIL import Image

from understudy import config
from understudy.config import Settings
from understudy.errors import EngineError, RequestError, UnderstudyError
from understudy.media import provenance
from understudy.media.clip import probe, read_frames
from understudy.request import Mode, Orientation, Scene
from understudy.sample import character_path, clip_path
from understudy.tasks import answers, renderer
from understudy.tasks import children as module
from understudy.tasks.renderer import Cancelled, ChildDied, Rendered, Renderer
from understudy.tasks.submission import Stored
from understudy.tasks.task import Status, Task

NOW = datetime.now(UTC)
TASK = Task(
    id=1234567890123456,
    account_id=1,
    dialect="kling",
    model="kling-v2-6",
    engine="fake",
    image=Stored("image"),
    video=Stored("video"),
    orientation=Orientation.VIDEO,
    mode=Mode.STD,
    sound=True,
    watermark=False,
    prompt="",
    callback_url=None,
    external_task_id=None,
    status=Status.PROCESSING,
    status_msg="",
    error_code=None,
    fix=None,
    attempt=1,
    crashes=0,
    reserved=Decimal(0),
    deduction=None,
    created_at=NOW,
    updated_at=NOW,
    started_at=NOW,
    ended_at=None,
    stage=None,
    progress=0.0,
    time_left_s=None,
    output=None,
    files_deleted_at=None,
)
Told = list[tuple[str, float, float | None]]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(pattern(300, 300)).save(folder / "image", format="PNG")
    clip = make_clip(folder / "clip.mp4", [pattern(340, 340)] * 91, sound=beep(91 / 30, (1.3,)))
    clip.rename(folder / "video")
    return folder


@pytest.fixture
def folder(inputs: Path, tmp_path: Path) -> Path:
    """A work folder with both inputs, its name as awkward as a name can be."""
    work = tmp_path / "a work folder 'of' $HOME"
    work.mkdir()
    for name in ("image", "video"):
        shutil.copy(inputs / name, work / name)
    return work


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    models = config.models_dir()
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(data))
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(models))
    return Settings(data_dir=data, threads=2)


def render(settings: Settings, folder: Path, task: Task = TASK, told: Told | None = None) -> Rendered:
    async def report(stage: str, share: float, left_s: float | None) -> bool:
        if told is not None:
            told.append((stage, share, left_s))
        return True

    return asyncio.run(Renderer(settings).render(folder, task, report))


def check(settings: Settings, folder: Path) -> float:
    return asyncio.run(Renderer(settings).check(folder, TASK))


def is_gone(group: int) -> bool:
    """Whether no process of that group is left, apart from dead ones that nobody has fetched."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listed.stdout.splitlines())
    return not any(int(pgid) == group and not state.startswith("Z") for pgid, state in rows)


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the children that were started."""
    seen: list[int] = []
    real = asyncio.create_subprocess_exec

    async def create(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await real(*arguments, **options)
        seen.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", create)
    return seen


def test_a_render_with_the_fake(settings: Settings, folder: Path, pids: list[int]) -> None:
    told: Told = []
    begun_s = time.monotonic()
    made = render(settings, folder, told=told)
    assert time.monotonic() - begun_s < 5  # well under 2 s on a quiet machine
    clip = probe(made.video)
    assert (clip.width, clip.height, clip.frame_count, clip.has_audio) == (300, 300, 91, True)
    assert (made.width, made.height, made.fps, made.frames) == (300, 300, 30, 91)
    assert made.duration_s == pytest.approx(91 / 30, abs=1e-3)
    assert made.size_bytes == clip.size_bytes
    assert (made.sound, made.character_found_by, made.driving_start_s) == (True, "fake", 0)
    assert (made.watermarked, made.left_out) == (None, ())
    assert {"read", "tracking", "rig", "drawing"} == set(made.timings_s)
    assert first_sound_s(made.video) == pytest.approx(1.3, abs=0.03)
    assert is_gone(pids[0])
    assert sorted(path.name for path in folder.iterdir()) == ["cover.jpg", "image", "result.mp4", "video"]


def test_both_files_are_signed_by_the_parent(settings: Settings, folder: Path) -> None:
    made = render(settings, folder, replace(TASK, watermark=True, sound=False))
    assert made.watermarked is not None
    assert not made.sound
    (_, plain), (_, marked) = next(read_frames(probe(made.video))), next(read_frames(probe(made.watermarked)))
    assert 0.002 < (np.abs(plain.astype(int) - marked).max(axis=2) > 20).mean() < 0.2
    for path in (made.video, made.watermarked):
        store = provenance.read(path)
        assert store["validation_state"] == "Valid"
        assert '"fake"' in json.dumps(store)
    assert (settings.data_dir / "provenance" / "identity.pem").is_file()


def test_a_real_render_and_its_forecast(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(character_path(), folder / "image")
    shutil.copy(clip_path(), folder / "video")
    told: Told = []
    begun_s = time.monotonic()
    made = render(settings, folder, replace(TASK, engine="puppet", prompt="dance"), told)
    took_s = time.monotonic() - begun_s
    assert min(made.width, made.height) == 720
    assert made.frames == probe(made.video).frame_count == 180
    assert made.character_found_by == "tracker"
    assert "prompt" in [part.what for part in made.left_out]
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    # The rig is made beside the tracking: it is told where the tracking ends first.
    assert [stage for stage in stages if stage != "rig"] == ["read", "tracking", "drawing", "sign"]
    shares = [share for _, share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.2
    assert shares[-1] > 0.9
    assert len(told) > took_s / 0.5 * 0.6
    halfway = next(left for _, share, left in told if share > 0.5)
    assert halfway == pytest.approx(took_s / 2, rel=0.6)


def test_the_cover_is_the_first_frame_as_a_signed_jpeg(settings: Settings, folder: Path) -> None:
    made = render(settings, folder)
    assert made.cover is not None
    _, first = next(read_frames(probe(made.video)))
    with Image.open(made.cover) as cover:
        assert (cover.format, cover.size) == ("JPEG", (300, 300))
        assert np.abs(np.asarray(cover).astype(int) - first).mean() < 3
    assert provenance.read(made.cover)["validation_state"] == "Valid"


def test_check_tells_the_duration(settings: Settings, folder: Path, pids: list[int]) -> None:
    assert check(settings, folder) == pytest.approx(91 / 30, abs=1e-3)
    assert is_gone(pids[0])


def picture(folder: Path, width: int, height: int) -> None:
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(folder / "image", format="PNG")


def wrong(folder: Path, case: str) -> None:
    match case:
        case "picture_format":
            (folder / "image").write_bytes(b"GIF89a" + bytes(100))
        case "picture_damaged":
            (folder / "image").write_bytes((folder / "image").read_bytes()[:200])
        case "picture_too_small":
            picture(folder, 299, 400)
        case "picture_aspect":
            picture(folder, 300, 1000)
        case "picture_unreadable":
            (folder / "image").unlink()
        case "clip_format":
            (folder / "video").write_bytes(b"#EXTM3U\nfile:///etc/passwd\n")
        case "clip_damaged":
            (folder / "video").write_bytes((folder / "video").read_bytes()[:3000])
        case "clip_unreadable":
            (folder / "video").unlink()
        case "clip_too_short":
            make_clip(folder / "x.mp4", [pattern(340, 340)] * 30).rename(folder / "video")
        case "clip_too_small":
            make_clip(folder / "x.mp4", [pattern(338, 340)] * 95).rename(folder / "video")


@pytest.mark.parametrize("verb", ["check", "render"])
@pytest.mark.parametrize(
    "code",
    [
        "picture_format",
        "picture_damaged",
        "picture_too_small",
        "picture_aspect",
        "picture_unreadable",
        "clip_format",
        "clip_damaged",
        "clip_unreadable",
        "clip_too_short",
        "clip_too_small",
    ],
)
def test_wrong_input_is_told_in_words_for_the_sender(
    settings: Settings, folder: Path, code: str, verb: str
) -> None:
    wrong(folder, code)
    call = {"check": check, "render": render}[verb]
    with pytest.raises(UnderstudyError) as caught:
        call(settings, folder)
    error = caught.value
    assert error.code == code
    named = "The reference image" if code.startswith("picture") else "The driving video"
    assert error.message.startswith(named)
    for text in (error.message, error.fix, error.value or "", error.limit or ""):
        assert "--" not in text
        assert "work folder" not in text
        assert "/" not in text
    assert not (folder / "result.mp4").exists()


def test_an_engine_that_is_not_there_is_told(settings: Settings, folder: Path) -> None:
    with pytest.raises(UnderstudyError) as caught:
        render(settings, folder, replace(TASK, engine="magic"))
    assert caught.value.code == "engine_unknown"


def test_missing_models_are_the_operators(
    settings: Settings, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(UnderstudyError) as caught:
        render(settings, folder, replace(TASK, engine="puppet"))
    assert caught.value.code == "model_missing"
    assert str(tmp_path) not in str(caught.value)


def test_lack_of_memory_is_an_error_with_advice(settings: Settings, folder: Path) -> None:
    Image.fromarray(np.zeros((9000, 9000, 3), np.uint8)).save(
        folder / "image", format="PNG", compress_level=1
    )
    with pytest.raises(EngineError) as caught:
        check(replace(settings, render_memory_mb=500), folder)
    assert caught.value.code == "out_of_memory"


def test_a_report_that_answers_false_ends_the_work_at_once(
    settings: Settings, folder: Path, pids: list[int]
) -> None:
    told: list[float] = []

    async def report(stage: str, share: float, left_s: float | None) -> bool:
        told.append(time.monotonic())
        return len(told) < 4

    with pytest.raises(Cancelled):
        asyncio.run(Renderer(settings).render(folder, replace(TASK, engine="fake-slow"), report))
    assert time.monotonic() - told[-1] < 0.5
    assert np.diff(told).max() < 0.9
    assert is_gone(pids[0])
    assert not (folder / "result.mp4").exists()


def test_a_cancelled_coroutine_takes_the_child_along(
    settings: Settings, folder: Path, pids: list[int]
) -> None:
    async def report(stage: str, share: float, left_s: float | None) -> bool:
        return True

    async def main() -> float:
        work = asyncio.create_task(
            Renderer(settings).render(folder, replace(TASK, engine="fake-slow"), report)
        )
        await asyncio.sleep(1.5)
        work.cancel()
        begun_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await work
        return time.monotonic() - begun_s

    assert asyncio.run(main()) < 0.5
    assert is_gone(pids[0])


def test_what_the_report_raises_ends_the_work(settings: Settings, folder: Path, pids: list[int]) -> None:
    async def report(stage: str, share: float, left_s: float | None) -> bool:
        raise KeyError("away")

    with pytest.raises(KeyError, match="away"):
        asyncio.run(Renderer(settings).render(folder, replace(TASK, engine="fake-slow"), report))
    assert is_gone(pids[0])


def test_work_without_end_is_ended(settings: Settings, folder: Path, pids: list[int]) -> None:
    begun_s = time.monotonic()
    with pytest.raises(EngineError) as caught:
        render(replace(settings, render_timeout_s=1), folder, replace(TASK, engine="fake-slow"))
    assert time.monotonic() - begun_s < 2
    assert (caught.value.code, caught.value.limit) == ("render_timeout", "1 s")
    assert is_gone(pids[0])


def test_too_much_processor_time_is_a_timeout(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"import os; os.kill(os.getpid(), {int(signal.SIGXCPU)})"
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", script))
    with pytest.raises(EngineError) as caught:
        render(settings, folder)
    assert caught.value.code == "render_timeout"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_is_killed_is_told_so(
    settings: Settings, folder: Path, pids: list[int], number: signal.Signals
) -> None:
    async def report(stage: str, share: float, left_s: float | None) -> bool:
        if share > 0.1:
            os.kill(pids[0], number)
        return True

    with pytest.raises(ChildDied, match=number.name):
        asyncio.run(Renderer(settings).render(folder, replace(TASK, engine="fake-slow"), report))
    assert is_gone(pids[0])


FIGURES = {
    "width": 300,
    "height": 300,
    "fps": 30.0,
    "frames": 91,
    "duration_s": 3.0,
    "sound": True,
    "character_found_by": "fake",
    "driving_start_s": 0.0,
    "left_out": [],
    "timings_s": {},
}


def rogue(**changed: object) -> str:
    """A child that makes no video but answers as if, with one thing changed."""
    answer = {"result": {**FIGURES, **changed}}
    files = "open('result.mp4', 'wb').write(b'x'); open('cover.jpg', 'wb').write(b'x')"
    return f"{files}; print({json.dumps(answer)!r})"


ROGUES = {
    "nothing": ("pass", "exit code 0"),
    "an exit code": ("raise SystemExit(3)", "exit code 3"),
    "its own death": ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    "words": ("print('Hello')", "no JSON"),
    "bytes": ("import os; os.write(1, bytes(range(256)))", "no JSON"),
    "a list": ("print('[]')", "no object"),
    "an empty object": ("print('{}')", "no answer"),
    "another answer": ("""print('{"shell": "ls"}')""", "no answer"),
    "two answers": ("""print('{"progress": ["x", 1, 2], "result": {}}')""", "no answer"),
    "not a number": ("""print('{"progress": ["x", NaN, 2]}')""", "no JSON"),
    "progress of words": ("""print('{"progress": ["x", "1", 2]}')""", "progress"),
    "progress below none": ("""print('{"progress": ["x", -1, 2]}')""", "progress"),
    "depth": ("print('[' * 60000)", "no JSON"),
    "a long line": ("print('x' * 10**6)", "too long"),
    "a line without end": ("while True: print('x' * 10**6, end='')", "too long"),
    "lines without end": ("""while True: print('{"progress": ["x", 1, 2]}')""", "without end"),
    "an error of no kind": ("""print('{"error": {"kind": "SystemExit", "code": "x"}}')""", "kind"),
    "an error without code": ("""print('{"error": {"kind": "ClipError", "code": "../x"}}')""", "code"),
    "an error without text": ("""print('{"error": {"kind": "ClipError", "code": "x"}}')""", "text"),
    "a result of words": ("""print('{"result": "fine"}')""", "none"),
    "no file": (f"print({json.dumps({'result': FIGURES})!r})", "not there"),
    "a link": (
        f"import os; os.symlink('image', 'result.mp4'); print({json.dumps({'result': FIGURES})!r})",
        "file",
    ),
    "another's file": (
        f"import os; os.link('image', 'result.mp4'); print({json.dumps({'result': FIGURES})!r})",
        "file",
    ),
    "a pipe": (f"import os; os.mkfifo('result.mp4'); print({json.dumps({'result': FIGURES})!r})", "file"),
    "a cover that is a link": (
        "open('result.mp4', 'w').write('x'); import os; os.symlink('image', 'cover.jpg'); "
        f"print({json.dumps({'result': FIGURES})!r})",
        "file",
    ),
    "an empty file": (f"open('result.mp4', 'w'); print({json.dumps({'result': FIGURES})!r})", "empty"),
}


@pytest.mark.parametrize("name", ROGUES)
def test_a_rogue_child_is_not_believed(
    settings: Settings, folder: Path, pids: list[int], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    script, reason = ROGUES[name]
    monkeypatch.setattr(answers, "MOST_LINES", 1000)
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", script))
    with pytest.raises(ChildDied, match=reason):
        render(settings, folder)
    assert is_gone(pids[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 0},
        {"width": "300"},
        {"height": 10**9},
        {"fps": True},
        {"frames": None},
        {"duration_s": -1},
        {"driving_start_s": 1e300},
        {"left_out": "none"},
        {"left_out": [["a"]]},
        {"left_out": [["a", 1]]},
        {"timings_s": []},
        {"timings_s": {"read": "long"}},
        {"character_found_by": 7},
    ],
    ids=str,
)
def test_a_rogue_result_is_not_believed(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", rogue(**changed)))
    monkeypatch.setattr(renderer, "_sign", lambda path, task: None)
    with pytest.raises(ChildDied):
        render(settings, folder)


def test_what_the_rogue_should_have_said(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above fail for what is changed, not for something else."""
    told = [["prompt", "Two\nlines\x1b[31m"]]
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", rogue(left_out=told)))
    monkeypatch.setattr(renderer, "_sign", lambda path, task: None)
    made = render(settings, folder)
    assert (made.frames, made.size_bytes) == (91, 1)
    assert made.left_out[0].detail == "Two lines [31m"


def test_a_result_that_is_no_video_is_not_signed(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", rogue()))
    with pytest.raises(EngineError) as caught:
        render(settings, folder)
    assert caught.value.code == "provenance_failed"
    assert str(folder) not in str(caught.value)


def test_what_a_child_leaves_behind_dies_with_it(
    settings: Settings, folder: Path, pids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import os, time; os.fork() or time.sleep(600); os._exit(3)"
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", script))
    monkeypatch.setattr(module, "KILL_TIMEOUT_S", 0.5)
    with pytest.raises((ChildDied, EngineError)):
        render(replace(settings, render_timeout_s=2), folder)
    assert is_gone(pids[0])


def test_the_end_of_its_errors_is_logged_escaped(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = "import sys; sys.stderr.write('begin' + 'x' * 100000 + '\\x1b[31m\\nend'); sys.exit(1)"
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", script))
    with pytest.raises(ChildDied):
        render(settings, folder)
    said = caplog.text
    assert "\\x1b[31m\\nend" in said
    assert "\x1b" not in said
    assert "begin" not in said
    assert len(said) < 6000


ODD_ENGINE = """
import os
from understudy.engines import registry
from understudy.engines.engine import FakeEngine
from understudy.tasks import child

class Odd(FakeEngine):
    def perform(self, *arguments, **options):
        {does}
        return super().perform(*arguments, **options)

registry.ENGINES["fake"] = lambda *_: Odd()
child.main()
"""


def test_what_libraries_print_is_no_answer(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does = "print('loading'); os.write(1, b'loaded'); os.system('true')"
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-P", "-c", ODD_ENGINE.format(does=does)))
    assert render(settings, folder).frames == 91


def test_an_engines_own_fault_is_told_in_words(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    does = "return {}['secret']"
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-P", "-c", ODD_ENGINE.format(does=does)))
    with pytest.raises(EngineError) as caught:
        render(settings, folder)
    assert caught.value.code == "engine_failed"
    assert "KeyError" in caught.value.message
    assert "secret" not in str(caught.value)
    assert "Traceback" in caplog.text  # the operator's
    assert "secret" in caplog.text


def test_an_engine_is_told_the_tasks_scene_and_seed(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does = (
        "from understudy.errors import EngineError; asked = arguments[2];"
        "raise EngineError('told', f'{asked.scene} {asked.seed}', fix='.')"
    )
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-P", "-c", ODD_ENGINE.format(does=does)))
    for seed, used in ((77, 77), (None, TASK.noise_seed)):
        with pytest.raises(EngineError) as caught:
            render(settings, folder, replace(TASK, seed=seed))
        assert caught.value.message == f"image {used}"
    with pytest.raises(RequestError) as refused:  # by the engine, which has the task's wish
        render(settings, folder, replace(TASK, scene=Scene.VIDEO))
    assert refused.value.code == "scene_unknown"


@pytest.mark.parametrize(
    "does",
    [
        "raise MemoryError",
        "import cv2, numpy; cv2.resize(numpy.zeros((9, 9), numpy.uint8), (30000, 30000), interpolation=4)",
        "import av.error; raise ValueError('x') from av.error.MemoryError(12, 'x')",
    ],
)
def test_lack_of_memory_is_seen_behind_other_errors(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-P", "-c", ODD_ENGINE.format(does=does)))
    with pytest.raises(EngineError) as caught:
        render(replace(settings, render_memory_mb=700), folder)
    assert caught.value.code == "out_of_memory"


def test_no_folder_is_no_child(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ChildDied, match="started"):
        render(settings, tmp_path / "nowhere")


PARENT = """
import asyncio, sys
from pathlib import Path
from test_renderer import TASK, replace
from understudy.config import Settings
from understudy.tasks.renderer import Renderer

real = asyncio.create_subprocess_exec
async def create(*arguments, **options):
    process = await real(*arguments, **options)
    print(process.pid, flush=True)
    return process
asyncio.create_subprocess_exec = create

async def report(stage, share, left_s):
    print(stage, flush=True)
    return True

folder, data = map(Path, sys.argv[1:])
task = replace(TASK, engine="fake-slow")
asyncio.run(Renderer(Settings(data_dir=data)).render(folder, task, report))
"""


def test_a_child_dies_with_its_parent(settings: Settings, folder: Path) -> None:
    folders = [Path(__file__).parent, Path(__file__).parents[1] / "unit", *filter(None, sys.path)]
    path = os.pathsep.join(map(str, folders))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), str(settings.data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while parent.stdout.readline().strip() != "drawing":
            pass
        assert not is_gone(child)
        parent.kill()
        parent.wait()
        deadline_s = time.monotonic() + 2
        while not is_gone(child) and time.monotonic() < deadline_s:
            time.sleep(0.02)
    assert is_gone(child)
