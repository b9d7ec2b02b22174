"""The doctor finds what is wrong and says what to do."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from understudy import doctor
from understudy.commands import unloadable
from understudy.doctor.apart import apart
from understudy.doctor.service import port
from understudy.engines.puppet import matting_weights
from understudy.tracking.models import MODELS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "data" / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "usual"))
    for name in ("UNDERSTUDY_C2PA_CERT", "UNDERSTUDY_C2PA_KEY"):
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
    assert check.found.count(", ") == len(doctor.PACKAGES) - 1
    assert re.search(r"numpy \d+\.", check.found)


def test_every_package_of_a_base_install_is_looked_at() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    assert names == set(doctor.PACKAGES)


def test_a_package_of_another_name_that_brings_the_module_will_do() -> None:
    check = doctor.packages({"no-such-package": "pytest"})
    assert check.good
    assert check.found.startswith("pytest ")


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> dict[str, str]:
    """Modules of that text, which only other processes can import; as what `doctor.packages` wants."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
    return {f"made-{name}": name for name in modules}


def test_a_package_that_crashes_is_told_and_the_others_are_still_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)"
    talk = "print('hello')\nraise SystemExit(3)"
    wanted = made(tmp_path, monkeypatch, crashing=crash, talking=talk)
    check = doctor.packages({"numpy": "numpy", **wanted, "no-such-package": "no_such_package"})
    assert "made-crashing: it crashes (SIGILL)" in check.found
    assert "made-talking: SystemExit: 3" in check.found
    assert "no-such-package: ModuleNotFoundError" in check.found
    assert "numpy" not in check.found
    assert "processor" in str(check.fix)


def test_a_library_that_the_system_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    check = doctor.packages(made(tmp_path, monkeypatch, lacking=lacking))
    assert "apt-file search libGL.so.1" in str(check.fix)
    old = 'raise ImportError("/lib/libc.so.6: version `GLIBC_2.38\' not found (required by x.so)")'
    check = doctor.packages(made(tmp_path, monkeypatch, old=old))
    assert "GLIBC_2.38" in str(check.fix)


def _crash() -> doctor.Check:
    os.kill(os.getpid(), signal.SIGSEGV)
    return doctor.Check("crash", "not reached")


def _talks() -> doctor.Check:
    print("a library greets")
    return doctor.Check("talk", "said", "do")


def test_a_check_that_crashes_is_a_problem_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
    for work in (_crash, _talks):
        monkeypatch.setattr(work, "__module__", "test_doctor")
    crashed = apart(_crash)
    assert not crashed.good
    assert "SIGSEGV" in crashed.found
    assert apart(_talks) == doctor.Check("talk", "said", "do")


@pytest.mark.parametrize(
    ("architecture", "libc", "good"),
    [
        ("x86_64", "glibc 2.36", True),
        ("aarch64", "glibc 2.41", True),
        ("x86_64", "", False),
        ("i686", "glibc 2.36", False),
    ],
)
def test_systems_without_packages_are_told(architecture: str, libc: str, good: bool) -> None:
    assert doctor.system("linux", architecture, libc).good is good


def test_too_little_memory_is_a_problem_and_a_containers_limit_counts(tmp_path: Path) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "max"
    meminfo.write_text("MemTotal: 4000000 kB\nMemAvailable:    2000000 kB\n")
    assert doctor.memory(meminfo, limit).found == "2048 MB free"
    limit.write_text("max\n")
    assert doctor.memory(meminfo, limit).good
    limit.write_text("500000000\n")
    small = doctor.memory(meminfo, limit)
    assert not small.good
    assert "500 MB allowed" in small.found
    meminfo.write_text("MemAvailable: 1000 kB\n")
    assert not doctor.memory(meminfo, tmp_path / "none").good
    assert doctor.memory(tmp_path / "none", limit).good  # another system


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000))  # type: ignore[attr-defined]
    assert not doctor.data_folder().good
    assert not doctor.temporary_folder().good


def test_a_user_without_home_and_environment_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("UNDERSTUDY_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert "none" in doctor.home().found
    assert "UNDERSTUDY_DATA_DIR" in str(doctor.data_folder().fix)


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "not free" in port("127.0.0.1", taken.getsockname()[1])


def test_what_videos_are_read_and_written_in_is_there() -> None:
    assert "libx264" in doctor.codecs().found
    assert doctor.codecs().good
    assert doctor.engine().good


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
    done = subprocess.run(
        [sys.executable, "-m", "understudy.cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["python"]["good"] is True
    assert checks["models"]["good"] is False
    assert "models pull tracker" in checks["models"]["fix"]


def test_an_installation_without_the_servers_part_is_a_good_one() -> None:
    check = doctor.server({"no-such-package": "no_such_package"})
    assert check.good
    assert "[server]" in check.found
    assert "numpy" in doctor.server({"numpy": "numpy"}).found


def test_a_command_that_cannot_load_a_package_sends_to_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, monkeypatch, numpy="raise ImportError('libfoo.so.1: cannot open shared object file')")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "understudy.cli",
            "animate",
            "--image",
            "a.png",
            "--video",
            "b.mp4",
            "--output",
            "c.mp4",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "package_missing" in done.stderr
    assert "libfoo.so.1" in done.stderr
    assert "understudy doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_our_own_import_errors_are_not_hidden() -> None:
    assert unloadable(ImportError("cannot import name 'x' from 'understudy.y'", name="understudy.y")) is None
    missing = unloadable(ModuleNotFoundError("No module named 'cv2'", name="cv2"))
    assert missing is not None
    assert missing.code == "package_missing"
    server = unloadable(ModuleNotFoundError("No module named 'fastapi'", name="fastapi"))
    assert server is not None
    assert server.code == "server_missing"
