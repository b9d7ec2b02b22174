"""The wheel holds all that lies in the package's folder and nothing else: what `pip install` brings is whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy: building leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder / name)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=leave)
    subprocess.run([sys.executable, "-c", BUILD, "out"], cwd=folder, check=True, capture_output=True)
    (built,) = (folder / "out").glob("*.whl")
    return built


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = ROOT / "src" / "understudy"
    ours = {
        f"understudy/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if name.startswith("understudy/")} == ours
    assert {"understudy/sample/explorer.png", "understudy/sample/dancer.mp4"} <= ours
    assert all(re.match(r"understudy(-[^/]+\.dist-info)?/", name) for name in names)


def test_the_wheel_brings_the_command_the_licence_and_no_extra_unasked(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        assert "understudy = understudy.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
        assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(archive.namelist())
    needs = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    for package, extra in (("fastapi", "server"), ("torch", "gpu"), ("diffusers", "gpu"), ("ftfy", "gpu")):
        (need,) = (need for need in needs if need.startswith(package))
        assert need.endswith(f'extra == "{extra}"')


def test_the_package_in_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    see = (
        "import understudy, understudy.sample as sample\n"
        "print(understudy.__file__, sample.clip_path().is_file(), sample.character_path().is_file())"
    )
    done = subprocess.run(
        [sys.executable, "-c", see], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(tmp_path / "understudy" / "__init__.py"), "True", "True"]
