"""Every protocol beside every other: a task belongs to its account, whichever one it was made in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from open_app import OpenApp, with_app
from speakers import SPEAKERS

from understudy.errors import ClipError
from understudy.server.dialects.registry import DIALECTS

TOO_SHORT = ClipError(
    "clip_too_short", "The video lasts 1.00 s.", value="1.00 s", limit="3 s", fix="Use a longer one."
)


def test_no_protocol_is_forgotten() -> None:
    assert set(SPEAKERS) == set(DIALECTS)


@pytest.mark.parametrize("maker", SPEAKERS)
def test_a_task_is_the_same_in_every_protocol(maker: str, database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        answer = await SPEAKERS[maker].create(app.client)
        assert answer.status_code in (200, 201), answer.text
        (made,) = (await app.client.get("/understudy/v1/tasks")).json()["tasks"]
        number = int(made["id"])
        own = SPEAKERS[maker].made(answer.json())
        assert str(own) == SPEAKERS[maker].form(number)
        assert type(own) is (int if maker == "modelslab" else str)

        async def told() -> dict[str, tuple[str, str | None]]:
            states = {}
            for name, speaker in SPEAKERS.items():
                told = await speaker.ask(app.client, speaker.form(number))
                assert told.status_code == 200, (name, told.text)
                states[name] = speaker.told(told.json())
            return states

        assert await told() == {name: (speaker.words[0], None) for name, speaker in SPEAKERS.items()}
        await app.finish(str(number), b"the video's bytes")
        for name, (state, link) in (await told()).items():
            assert state == SPEAKERS[name].words[1]
            assert link is not None
            video = await app.client.get(urlsplit(link).path, headers={"Authorization": ""})
            assert video.content == b"the video's bytes", name

    with_app(database_url, tmp_path, story)


@pytest.mark.parametrize("maker", SPEAKERS)
def test_a_failed_task_has_failed_in_every_protocol(maker: str, database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        await SPEAKERS[maker].create(app.client)
        (made,) = (await app.client.get("/understudy/v1/tasks")).json()["tasks"]
        await app.fail(made["id"], TOO_SHORT)
        for name, speaker in SPEAKERS.items():
            told = await speaker.ask(app.client, speaker.form(int(made["id"])))
            assert speaker.told(told.json())[0] == speaker.words[2], name
            assert TOO_SHORT.message in told.text, name

    with_app(database_url, tmp_path, story)


def test_nobody_sees_another_account_s_task(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        await SPEAKERS["kling"].create(app.client)
        (made,) = (await app.client.get("/understudy/v1/tasks")).json()["tasks"]
        app.client.headers.update(await app.key_of("bob"))
        for name, speaker in SPEAKERS.items():
            told = await speaker.ask(app.client, speaker.form(int(made["id"])))
            unknown = await speaker.ask(app.client, speaker.form(10**15))
            assert told.status_code == unknown.status_code, name
            assert "example.com" not in told.text, name
            if name != "kling-2":  # which leaves unknown tasks out of its list
                assert told.status_code >= 400 or told.json().get("code") not in (None, 0, 200), name

    with_app(database_url, tmp_path, story)


@pytest.mark.parametrize("name", SPEAKERS)
def test_a_wrong_word_is_told_with_what_is_allowed(name: str, database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        speaker = SPEAKERS[name]
        field, *inner = speaker.orientation
        wrong = {**speaker.body[field], inner[0]: "sideways"} if inner else "sideways"
        answer = await speaker.create(app.client, **{field: wrong})
        assert answer.status_code >= 400 or answer.json()["code"] >= 400
        for word in (speaker.orientation[-1], "sideways", "image", "video"):
            assert word in answer.text, word
        assert not (await app.client.get("/understudy/v1/tasks")).json()["tasks"]

    with_app(database_url, tmp_path, story)
