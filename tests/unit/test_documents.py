"""What README and docs name is there: options, commands, files, the joints file's example, the Python signature."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import typer

import understudy
from understudy.cli import app
from understudy.tracking.joints import read_joints

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
# Those of mypy, uv and the benchmarks.
OF_OTHER_TOOLS = {
    "--compile",
    "--tiny",
    "--help",
    "--no-compile",
    "--no-deps",
    "--require-hashes",
    "--strict",
    "--upgrade",
    "--memory",
    "--no-rest",
    "--out",
    "--seconds",
    "--minutes",  # of benchmarks/gpu/measure.py, as the next two
    "--again",
    "--segments",
    "--runs",
    "--files",
    "--seed",
    "--workers",
    "--keep",
    "--before",  # of benchmarks/performance.py
    "--peer-python",
}


def options() -> set[str]:
    command = typer.main.get_command(app)
    found = set()
    waiting = [command]
    while waiting:
        one = waiting.pop()
        waiting += getattr(one, "commands", {}).values()
        for parameter in one.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_options_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text(encoding="utf-8")))
    assert named - OF_OTHER_TOOLS <= options()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (path.parent / t).exists()] == []


def test_the_signature_in_the_readme_is_the_function_s() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.search(r"def animate\((.*?)\) -> Result", text, re.DOTALL)
    assert told is not None
    names = re.findall(r"(\w+)(?==|,)", re.sub(r'"[^"]*"', "", told[1]))
    names = [n for n in names if n not in {"None", "True", "False", "silent"}]
    assert names == list(inspect.signature(understudy.animate).parameters)


def test_the_example_of_a_joints_file_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "joints.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example is not None
    file = tmp_path / "joints.json"
    file.write_text(example[1])
    person = read_joints(file, 810, 1080)
    assert person.body[0, :2] == pytest.approx([408, 261])


LOCKS = ("requirements.txt", "requirements-server.txt", "requirements-dev.txt", "requirements-gpu.txt")


def test_the_locks_hold_no_addresses_and_no_package_twice() -> None:
    for name in (*LOCKS, "scripts/reference_tracker.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if "://" in line or " @ " in line] == []
        pinned = [line for line in lines if "==" in line]
        assert len(pinned) > 10
    parts = [
        set(re.findall(r"^([\w-]+)==", (ROOT / name).read_text("utf-8"), re.MULTILINE)) for name in LOCKS
    ]
    assert len(set.union(*parts)) == sum(map(len, parts))
    assert {"numpy", "av"} <= parts[0]
    assert "fastapi" in parts[1]
    assert "pytest" in parts[2]
    assert "diffusers" in parts[3]
    assert not {"torch", "sympy", "triton"} & set.union(*parts)  # the card decides which build of it


BARE_NAME = re.compile(r"""pip install(?: -\S+)* ['"]?understudy(?![\w./-])|understudy\[[a-z]""")


def test_nothing_installs_the_package_by_its_bare_name() -> None:
    """The package that an index has under that name is somebody else's."""
    assert BARE_NAME.search("pip install 'understudy[gpu]'")
    assert BARE_NAME.search("pip install --upgrade understudy")
    sources = [path for kind in ("src/**/*.py", "scripts/*") for path in ROOT.glob(kind) if path.is_file()]
    for path in (*DOCUMENTS, ROOT / "Makefile", *sources):
        assert BARE_NAME.search(path.read_text(encoding="utf-8")) is None, path
