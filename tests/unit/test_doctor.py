"""The doctor finds what is wrong and says what to do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from understudy import doctor
from understudy.engines.puppet import matting_weights
from understudy.tracking.models import MODELS


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "usual"))
    for name in ("UNDERSTUDY_MODELS_DIR", "UNDERSTUDY_C2PA_CERT", "UNDERSTUDY_C2PA_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_an_old_python_is_named() -> None:
    check = doctor.python((3, 10, 4))
    assert not check.good
    assert "3.10.4" in check.found


def test_this_python_will_do() -> None:
    assert doctor.python().good


def test_a_package_that_is_missing_is_named() -> None:
    check = doctor.packages({"numpy": "numpy", "no-such-package": "no_such_package"})
    assert not check.good
    assert "no-such-package" in check.found
    assert "numpy" not in check.found.replace("no-such-package", "")


def test_packages_tell_their_versions() -> None:
    check = doctor.packages()
    assert check.good
    assert all(name in check.found for name in doctor.PACKAGES)


def test_a_data_folder_that_can_be_made_is_good(tmp_path: Path) -> None:
    check = doctor.data_folder()
    assert check.good
    assert "not made yet" in check.found
    assert not (tmp_path / "data").exists()


def test_a_data_folder_inside_a_file_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "file" / "data"))
    assert not doctor.data_folder().good
    assert not doctor.provenance().good


def test_missing_and_damaged_models_are_told_apart(tmp_path: Path) -> None:
    missing = doctor.models()
    assert not missing.good
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    for name in MODELS:
        (folder / f"{name}.tflite").write_bytes(b"not a model")
    damaged = doctor.models()
    assert not damaged.good
    assert damaged.found != missing.found


def test_an_installation_without_the_learned_matte_is_a_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = doctor.matting()
    assert without.good
    assert "understudy models pull matting" in without.found
    path = tmp_path / "data" / "models" / "isnet-general-use.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    assert not doctor.matting().good
    known = replace(matting_weights.WEIGHTS, sha256=hashlib.sha256(b"half of it").hexdigest())
    monkeypatch.setattr(matting_weights, "WEIGHTS", known)
    whole = doctor.matting()
    assert whole.good
    assert "onnxruntime" in whole.found


def test_a_clip_is_written_and_signed() -> None:
    assert "h264" in doctor.video().found
    assert doctor.provenance().good
    assert "signature valid" in doctor.provenance().found


def test_half_a_certificate_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_C2PA_CERT", "chain.pem")
    check = doctor.provenance()
    assert not check.good
    assert "UNDERSTUDY_C2PA_KEY" in f"{check.found} {check.fix}"


def test_the_command_fails_where_something_is_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy.cli", "doctor"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "problem  models" in done.stdout
    assert "models pull tracker" in done.stdout
    assert "ok       python" in done.stdout


def test_an_installation_without_the_servers_part_is_a_good_one() -> None:
    check = doctor.server({"no-such-package": "no_such_package"})
    assert check.good
    assert "understudy[server]" in check.found
    assert "numpy" in doctor.server({"numpy": "numpy"}).found
