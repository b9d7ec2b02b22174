"""The examples of docs/dialects.md, run as they stand there: curl and jq are read here, and everything else is real."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest
from open_app import OpenApp, with_app

PAGE = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text(encoding="utf-8")
TRIED = PAGE.partition("## Try each")[2].partition("\n## ")[0]
EXAMPLES = dict(re.findall(r"### (.+?)\n+```sh\n(.+?)```", TRIED, re.DOTALL))


def test_there_is_one_for_each_protocol_but_our_own() -> None:
    listed = re.findall(r"^\| (\w.+?) \| `\$SERVICE", PAGE, re.MULTILINE)
    assert len(EXAMPLES) == len(listed) - 1 == 6


async def curl(client: httpx.AsyncClient, words: list[str]) -> Any:
    """The JSON that ``curl`` would get."""
    url, headers, content = "", {"Authorization": ""}, None
    given = iter(words)
    assert next(given) == "curl"
    for word in given:
        if word == "-H":
            name, _, value = next(given).partition(": ")
            headers[name] = value
        elif word == "-d":
            content = next(given)
        elif word != "-s":
            url = word
    method = "GET" if content is None else "POST"
    answer = await client.request(method, url, headers=headers, content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_makes_a_task_and_finds_it(name: str, database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        known = {
            "SERVICE": "http://service.test",
            "KEY": app.client.headers["authorization"].removeprefix("Bearer "),
        }

        def words(line: str) -> list[str]:
            """As a shell reads them: nothing is put in between single quotes."""
            parts = re.split(r"('[^']*')", line)
            filled = (p if p.startswith("'") else re.sub(r"\$(\w+)", lambda m: known[m[1]], p) for p in parts)
            return shlex.split("".join(filled))

        made, asked = (
            EXAMPLES[name].replace("\\\n", " ").split(" | jq -r ", 1)[0],
            EXAMPLES[name].splitlines()[-1],
        )
        path = re.search(r"\| jq -r \.([\w.]+)\)", EXAMPLES[name])
        assert path is not None
        value = await curl(app.client, words(made.removeprefix("TASK=$(")))
        for part in path[1].split("."):
            value = value[part]
        known["TASK"] = str(value)
        (task,) = (await app.client.get("/understudy/v1/tasks")).json()["tasks"]
        assert task["id"].lstrip("0") in known["TASK"]
        told = str(await curl(app.client, words(asked)))
        assert any(word in told for word in ("submitted", "queued", "processing", "waiting"))

    with_app(database_url, tmp_path, story)
