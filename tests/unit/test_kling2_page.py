"""``docs/kling2.md`` names what the code reads and answers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from kling_examples import LINKS, MADE, SUCCEEDED

from understudy.server.dialects.kling2 import Kling2
from understudy.server.dialects.kling2_account import OF_PACKAGE, PACK_NAME, PARAMETERS, costs, detail
from understudy.server.dialects.kling2_answers import STATUSES, queried
from understudy.server.dialects.kling2_form import CONTENTS, MODELS, OPTIONS, RESOLUTIONS, SETTINGS
from understudy.server.dialects.kling2_window import FIELDS, NAMES, TASKS
from understudy.tasks.pack import Deduction, Pack

TEXT = (Path(__file__).parents[2] / "docs" / "kling2.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[\w./+-]+", TEXT))


def test_every_path_and_field_is_told() -> None:
    for endpoint in Kling2().endpoints():
        assert endpoint.path in TEXT or endpoint.path.removeprefix("/account/billing") in TEXT, endpoint.path
    for owned in Kling2.owned:
        assert f"`{owned}`" in TEXT
    for group in (CONTENTS, SETTINGS, OPTIONS, FIELDS, NAMES, PARAMETERS, STATUSES.values()):
        for name in group:
            assert any(word.rpartition(".")[2] == name for word in WORDS), name
    for key in {one.key for one in (*TASKS, *OF_PACKAGE)} | set(RESOLUTIONS) | set(MODELS):
        assert f"`{key}`" in TEXT or f'"{key}"' in TEXT or f"{key}`" in TEXT, key


def test_every_answered_field_is_told() -> None:
    deduction = Deduction(SUCCEEDED, MADE, SUCCEEDED.reserved, SUCCEEDED.reserved, SUCCEEDED.reserved)
    (pack,) = costs(Pack(None, None, MADE), 1, None, None, None)["resource_pack_subscribe_infos"]
    assert pack["resource_pack_name"] == PACK_NAME
    task = queried(SUCCEEDED, LINKS)
    for name in (*task, *task["outputs"][0], *task["billing"][0], *pack, *detail(deduction, LINKS)):
        assert name in WORDS, name
    assert f"`{PACK_NAME}`" in TEXT


def test_the_example_is_python() -> None:
    example = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    ast.parse(example[1])
