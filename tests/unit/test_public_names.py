"""The public surface is a list that one can read; this holds it."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import understudy

ERRORS = {
    "UnderstudyError",
    "InputError",
    "PictureError",
    "ClipError",
    "CharacterError",
    "PerformerError",
    "RequestError",
    "ModelError",
    "EngineError",
}
NAMES = {
    "animate",
    "Result",
    "Scene",
    "LeftOut",
    "Orientation",
    "Mode",
    "Matting",
    "MotionRequest",
    "Motion",
    "evaluate",
}


def alone(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_these_names_and_no_others_are_public() -> None:
    assert set(understudy.__all__) == NAMES | ERRORS
    assert len(understudy.__all__) == len(NAMES | ERRORS)
    assert set(understudy.__all__) <= set(dir(understudy))


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("animate", "understudy.animate"),
        ("evaluate", "understudy.evaluation.evaluate"),
        ("Motion", "understudy.tracking.motion"),
        *(
            (name, "understudy.request")
            for name in ("Result", "LeftOut", "Orientation", "Mode", "Matting", "MotionRequest", "Scene")
        ),
        *((name, "understudy.errors") for name in sorted(ERRORS)),
    ],
)
def test_each_name_is_its_homes_own(name: str, home: str) -> None:
    assert getattr(understudy, name) is getattr(importlib.import_module(home), name)


def test_errors_form_one_tree() -> None:
    for name in ERRORS:
        assert issubclass(getattr(understudy, name), understudy.UnderstudyError)
    for name in ("PictureError", "ClipError", "CharacterError", "PerformerError", "RequestError"):
        assert issubclass(getattr(understudy, name), understudy.InputError)
    for name in ("ModelError", "EngineError"):
        assert not issubclass(getattr(understudy, name), understudy.InputError)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        understudy.nonsense  # noqa: B018


def test_animate_stays_the_function_whatever_is_imported_first() -> None:
    module = importlib.import_module("understudy.animate")
    understudy.animate = module  # as the import system does
    assert inspect.isfunction(understudy.animate)
    code = "from understudy.animate import fulfil; import understudy; print(callable(understudy.animate))"
    assert alone(code) == "True"


HEAVY = [
    "numpy",
    "cv2",
    "av",
    "PIL",
    "ai_edge_litert",
    "c2pa",
    "cryptography",
    "rich",
    "asyncio",
    "ssl",
    "fastapi",
    "uvicorn",
    "httpx",
    "sqlalchemy",
    "procrastinate",
    "psycopg",
    "obstore",
]


def loaded(code: str) -> str:
    return alone(
        f"import sys; {code}; print('loaded:', *(m for m in {[*HEAVY, 'typer']} if m in sys.modules))"
    )


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import understudy") == "loaded:"
    # The command line brings Typer; the work's libraries come with the work, and rich with something to show.
    assert loaded("import understudy.cli") == "loaded: typer"


@pytest.mark.parametrize(
    "words", ["--help", "animate --help", "keys --help", "serve --help", "demo --nonsense"]
)
def test_a_commands_help_loads_nothing_heavy(words: str) -> None:
    run = f"from understudy import cli; from contextlib import suppress; sys.argv = {['understudy', *words.split()]}"
    told = loaded(f"{run}\nwith suppress(SystemExit): cli.main()\npass")
    assert told.splitlines()[-1] == "loaded: typer"


def test_the_work_loads_neither_scipy_nor_what_comes_at_its_end() -> None:
    modules = "understudy.animate, understudy.engines.puppet.engine, understudy.tracking.mediapipe_tracker"
    late = "('scipy', 'c2pa', 'cryptography', 'asyncio')"
    assert alone(f"import sys, {modules}; print([m for m in {late} if m in sys.modules])") == "[]"
