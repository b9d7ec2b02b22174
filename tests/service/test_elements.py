"""The element library on a real database: made once, used by tasks that keep copies, deleted for good."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kling_examples import PNG
from open_app import LINKS, OpenApp, with_app
from test_intake import LOOPBACK, source
from work_setting import Setting, run, running, until

from understudy.errors import FormError, PictureError, ServiceError, TaskError, UnavailableError
from understudy.media.network import NetworkGuard
from understudy.tasks.element import MOST_ID, Element, NewElement, Reference
from understudy.tasks.element_intake import ElementIntake
from understudy.tasks.element_retention import ElementRetention
from understudy.tasks.element_work import MOST_TRIES, ElementWork
from understudy.tasks.elements import LEAST_ID, MOST_MAKINGS, Elements
from understudy.tasks.folders import WorkFolders
from understudy.tasks.jobs import ELEMENT, FakeJobs
from understudy.tasks.queue import ProcrastinateJobs, QueueWorker
from understudy.tasks.renderer import ChildDied
from understudy.tasks.submission import Idempotency, Inline, Link, Stored, Submission
from understudy.tasks.task import Status, Task
from understudy.tasks.uploads import Uploads

FRONT, SIDE = Inline(b"the front"), Inline(b"a side")
TOO_SMALL = PictureError("picture_too_small", "It is too small.", fix="Use a larger one.")
ELEMENTS, MOTION = "/v1/general/advanced-custom-elements", "/v1/videos/motion-control"


@dataclass
class Looker:
    """Stands in for the renderer: raises what ``faults`` hold, then finds all well, and two views in a video."""

    faults: list[Exception] = field(default_factory=list)
    seen: list[list[bytes]] = field(default_factory=list)

    async def views(self, folder: Path, element_id: int, pictures: int) -> int:
        names = [f"view-{n + 1}" for n in range(pictures)] or ["video"]
        self.seen.append([(folder / name).read_bytes() for name in names])
        if self.faults:
            raise self.faults.pop(0)
        if not pictures:
            (folder / "view-1").write_bytes(b"first frame")
            (folder / "view-2").write_bytes(b"second frame")
        return pictures or 2


class Library:
    """An account's library around a setting's parts."""

    def __init__(self, its: Setting) -> None:
        self.its = its
        self.looker = Looker()
        self.elements = Elements(its.database, its.jobs, its.storage)
        self.work = ElementWork(its.database)

    def intake(self, guard: NetworkGuard = LOOPBACK) -> ElementIntake:
        looker: Any = self.looker
        return ElementIntake(self.work, self.its.storage, guard, looker, self.its.folders)

    async def made(self, account: Any, *sources: Any, **fields: Any) -> Element:
        element = await self.elements.create(account, new(*sources, **fields))
        await self.intake().run(element.id)
        return await self.now(element)

    async def now(self, element: Element) -> Element:
        found = await self.work.load(element.id)
        assert found is not None
        return found

    def files(self, element: Element) -> dict[str, bytes]:
        below = f"elements/{element.id}/"
        return {
            key.removeprefix(below): its
            for key, its in self.its.storage.objects.items()
            if key.startswith(below)
        }


def new(*sources: Any, **fields: Any) -> NewElement:
    given: dict[str, Any] = {"reference": Reference.IMAGES, **fields}
    return NewElement("Mina", "A dancer", sources=sources or (FRONT, SIDE), **given)


def submission(element_id: int | None, **fields: Any) -> Submission:
    given: dict[str, Any] = {"image": Inline(b"a picture"), "video": Inline(b"a clip"), **fields}
    return Submission(dialect="kling", model="kling-v2-6", engine="fake", element_id=element_id, **given)


def story_of(database_url: str, folder: Path, story: Callable[[Library], Awaitable[None]]) -> None:
    async def told(its: Setting) -> None:
        await story(Library(its))

    run(database_url, folder, told)


def test_pictures_become_views(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        with source(b"the front") as (url, asked):
            element = await library.elements.create(
                account, new(Link(url), SIDE, voice_id="v", tags=("o_102",))
            )
            assert library.its.jobs.put_in == [(ELEMENT, element.id)]
            assert (element.status, element.views) == (Status.SUBMITTED, ())
            assert LEAST_ID <= element.id <= MOST_ID
            assert 10**15 <= element.task_id < 2**53
            assert await library.intake().run(element.id) is None
            assert len(asked) == 1
        made = await library.now(element)
        assert (made.status, made.error_code, made.tries) == (Status.SUCCEED, None, 1)
        assert (made.voice_id, made.tags, made.sources[0]) == ("v", ("o_102",), Link(url))
        assert [view.key for view in made.views] == [f"elements/{element.id}/view-{n}" for n in (1, 2)]
        assert library.files(element) == {"view-1": b"the front", "view-2": b"a side"}
        await library.intake().run(element.id)  # its job came twice
        assert len(library.looker.seen) == 1
        assert library.files(element) == {"view-1": b"the front", "view-2": b"a side"}

    story_of(database_url, tmp_path, story)


def test_a_video_gives_its_views(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        with source(b"a video") as (url, _):
            made = await library.made(account, Link(url), reference=Reference.VIDEO)
        assert library.looker.seen == [[b"a video"]]
        assert library.files(made) == {"view-1": b"first frame", "view-2": b"second frame"}

    story_of(database_url, tmp_path, story)


def test_a_making_that_fails_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        library.looker.faults = [TOO_SMALL]
        made = await library.made(account)
        assert (made.status, made.status_msg, made.fix) == (
            Status.FAILED,
            "It is too small.",
            "Use a larger one.",
        )
        with source(b"secret") as (url, asked):
            denied = await library.elements.create(account, new(Link(url), SIDE))
            await library.intake(NetworkGuard([])).run(denied.id)
        assert asked == []
        assert (await library.now(denied)).error_code == "fetch_address_denied"
        assert library.its.storage.objects == {}
        with pytest.raises(FormError, match="making failed"):
            await library.its.tasks.submit(account, submission(made.id))

    story_of(database_url, tmp_path, story)


def test_a_child_that_dies_is_tried_again_and_not_for_ever(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        library.looker.faults = [ChildDied("it was killed")]
        assert (await library.made(account)).tries == 2
        library.looker.faults = [ChildDied("it was killed")] * (MOST_TRIES + 1)
        killed = await library.made(account)
        assert (killed.status, killed.error_code) == (Status.FAILED, "worker_lost")
        assert len(library.looker.faults) == 1
        assert library.files(killed) == {}

    story_of(database_url, tmp_path, story)


def test_an_account_leaves_places_to_others(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        work, account, other = library.work, await library.its.account(), await library.its.account("other")
        first, second, third = [await library.elements.create(account, new()) for _ in range(3)]
        theirs = await library.elements.create(other, new())
        for begun in (first, second):
            assert isinstance(await work.claim(begun.id), Element)
        again = await library.intake().run(third.id)
        assert again is not None
        assert timedelta(0) < again - datetime.now(UTC) < timedelta(seconds=5)
        waiting = await library.now(third)
        assert (waiting.status, waiting.tries) == (Status.SUBMITTED, 0)
        assert await library.intake().run(theirs.id) is None
        assert (await library.now(theirs)).status is Status.SUCCEED
        lost = await work.claim(first.id)  # by the worker after the one that had it
        assert isinstance(lost, Element)
        assert lost.tries == 2
        await library.elements.delete(account.id, second.id)
        assert await library.intake().run(third.id) is not None  # it is still being made
        await work.let_go(second.id)
        assert await library.intake().run(third.id) is None
        assert (await library.now(third)).status is Status.SUCCEED

    story_of(database_url, tmp_path, story)


def test_all_of_an_accounts_elements_are_made_in_turn(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        library = Library(its)
        library.elements = Elements(its.database, ProcrastinateJobs(), its.storage)
        account = await its.account()
        wanted = [await library.elements.create(account, new()) for _ in range(MOST_MAKINGS)]

        async def made() -> bool:
            return all([(await library.now(each)).status is Status.SUCCEED for each in wanted])

        async with running(QueueWorker(database_url, (ELEMENT,), library.intake().run, concurrency=4).run()):
            await until(made)
        assert [(await library.now(each)).tries for each in wanted] == [1] * MOST_MAKINGS

    run(database_url, tmp_path, story)


def test_a_task_gets_copies_that_outlive_the_element(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        its = library.its
        account = await its.account()
        element = await library.made(account)
        task = await its.tasks.submit(account, submission(element.id))
        keys = [f"inputs/{task.id}/view-{n}" for n in (1, 2)]
        assert (task.element_id, [view.key for view in task.views]) == (element.id, keys)
        await library.elements.delete(account.id, element.id)
        assert library.files(element) == {}
        await its.intake.run(task.id)
        seen: list[list[bytes]] = []

        async def look(folder: Path, rendered: Task) -> None:
            assert rendered.views == task.views
            seen.append([(folder / f"view-{n}").read_bytes() for n in (1, 2)])

        its.renderer.renders = [look]
        await its.rendering.run(task.id)
        assert seen == [[b"the front", b"a side"]]
        assert (await its.now(task)).status is Status.SUCCEED
        with pytest.raises(
            FormError, match=f"element_id is {element.id}, which is no element of this account"
        ):
            await its.tasks.submit(account, submission(element.id))

    story_of(database_url, tmp_path, story)


def test_a_task_tried_again_has_the_same_views(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        its = library.its
        account = await its.account()
        element = await library.made(account)
        task = await its.tasks.submit(account, submission(element.id))
        await library.elements.delete(account.id, element.id)
        await its.tasks.cancel(account.id, task.id)
        again = await its.tasks.retry(account, task.id)
        assert [its.storage.objects[view.key] for view in again.views] == [b"the front", b"a side"]
        assert (again.element_id, str(again.id) in again.views[0].key) == (element.id, True)
        del its.storage.objects[again.views[1].key]
        with pytest.raises(FormError, match="no element"):  # neither the copies nor the element are there
            await its.tasks.retry(account, again.id)

    story_of(database_url, tmp_path, story)


def test_elements_that_a_task_cannot_have(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        its = library.its
        account, other = await its.account(), await its.account("other")
        foreign = await library.made(other)
        waiting = await library.elements.create(account, new())
        for number in (foreign.id, waiting.id, 5, 829836802793406551, 10**19 - 1):
            with pytest.raises(FormError) as caught:
                await its.tasks.submit(account, submission(number))
            assert (caught.value.code, caught.value.value) == ("field_invalid", str(number))
            assert str(number) in caught.value.message
        assert "still being made" in await refusal(library, account, waiting.id)
        assert not [key for key in its.storage.objects if key.startswith("inputs/")]

    story_of(database_url, tmp_path, story)


async def refusal(library: Library, account: Any, number: int) -> str:
    with pytest.raises(FormError) as caught:
        await library.its.tasks.submit(account, submission(number))
    return caught.value.message


def test_the_same_request_again_is_answered_though_the_element_is_gone(
    database_url: str, tmp_path: Path
) -> None:
    async def story(library: Library) -> None:
        its = library.its
        account = await its.account()
        element = await library.made(account)
        wanted = submission(element.id, idempotency=Idempotency("key", "hash"))
        task = await its.tasks.submit(account, wanted)
        await library.elements.delete(account.id, element.id)
        assert (await its.tasks.submit(account, wanted)).id == task.id
        other = replace(wanted, idempotency=Idempotency("another", "hash"))
        with pytest.raises(FormError, match="no element"):
            await its.tasks.submit(account, other)

    story_of(database_url, tmp_path, story)


def test_an_element_deleted_between_look_and_copy(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        its = library.its
        account = await its.account()
        element = await library.made(account)
        await its.storage.delete(f"elements/{element.id}")
        with pytest.raises(FormError, match="no element of this account"):
            await its.tasks.submit(account, submission(element.id))
        assert its.storage.objects == {}

    story_of(database_url, tmp_path, story)


def test_find_list_and_delete(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account, other = await library.its.account(), await library.its.account("other")
        first = await library.made(account, external_task_id="mina 1")
        second = await library.elements.create(account, new())
        for name in (str(first.task_id), "mina 1"):
            assert (await library.elements.find(account.id, name)).id == first.id
        for name in ("mina 2", str(first.id), "a\0", "9" * 40, ""):
            with pytest.raises(TaskError) as caught:
                await library.elements.find(account.id, name)
            assert caught.value.code == "element_unknown"
        with pytest.raises(TaskError):
            await library.elements.find(other.id, "mina 1")
        with pytest.raises(TaskError):
            await library.elements.delete(other.id, first.id)
        with pytest.raises(FormError) as taken:
            await library.elements.create(account, new(external_task_id="mina 1"))
        assert taken.value.code == "external_id_taken"
        pages = [await library.elements.page(account.id, number, 1) for number in (1, 2, 3)]
        assert [[each.id for each in page] for page in pages] == [[second.id], [first.id], []]
        await library.elements.delete(account.id, first.id)
        assert (await library.elements.find(account.id, "mina 1")).deleted_at is not None
        assert [each.id for each in await library.elements.page(account.id, 1, 9)] == [second.id]
        with pytest.raises(TaskError):
            await library.elements.delete(account.id, first.id)

    story_of(database_url, tmp_path, story)


def test_one_deleted_while_it_is_made_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        element = await library.elements.create(account, new())

        class Deleting(Looker):
            async def views(self, folder: Path, element_id: int, pictures: int) -> int:
                await library.elements.delete(account.id, element_id)
                return pictures

        library.looker = Deleting()
        await library.intake().run(element.id)
        assert (await library.now(element)).status is Status.PROCESSING
        assert library.its.storage.objects == {}

    story_of(database_url, tmp_path, story)


def test_a_full_library_and_maintenance(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(library: Library) -> None:
        monkeypatch.setattr("understudy.tasks.elements.MOST_ELEMENTS", 1)
        account = await library.its.account()
        element = await library.made(account)
        with pytest.raises(FormError, match="1 are the most"):
            await library.elements.create(account, new())
        await library.elements.delete(account.id, element.id)
        await library.elements.create(account, new())
        closed = Elements(library.its.database, FakeJobs(), library.its.storage, closed=True)
        with pytest.raises(UnavailableError) as caught:
            await closed.create(account, new())
        assert caught.value.code == "maintenance"

    story_of(database_url, tmp_path, story)


def test_an_upload_that_is_gone_before_it_is_copied(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        for reference, named in ((Reference.IMAGES, "picture"), (Reference.VIDEO, "video")):
            sources = (FRONT, Stored("uploads/7/file"))[reference is Reference.VIDEO :]
            with pytest.raises(
                FormError, match=f"The element's {named}'s uploaded file is not kept"
            ) as caught:
                await library.elements.create(account, new(*sources, reference=reference))
            assert caught.value.code == "field_invalid"
        assert library.its.storage.objects == {}
        assert await library.elements.page(account.id, 1, 9) == []

    story_of(database_url, tmp_path, story)


def test_one_account_has_only_so_many_made_at_once(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account, other = await library.its.account(), await library.its.account("other")
        made, refused = await at_once(library, account, 6)
        assert (len(made), {error.code for error in refused}) == (4, {"too_many_tasks"})
        assert refused[0].limit == "4 at once"
        kept = {key.split("/")[1] for key in library.its.storage.objects}
        assert kept == {str(element.id) for element in made}  # nothing of those that were refused
        await library.elements.create(other, new())
        await library.intake().run(made[0].id)
        await library.elements.create(account, new())
        assert len((await at_once(library, account, 1))[1]) == 1

    story_of(database_url, tmp_path, story)


def test_a_deleted_one_counts_while_a_worker_has_it(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        account = await library.its.account()
        made, _ = await at_once(library, account, 4)
        await library.work.claim(made[0].id)
        await library.elements.delete(account.id, made[0].id)
        assert len((await at_once(library, account, 1))[1]) == 1
        await library.intake().run(made[0].id)  # the worker is done with it
        assert len((await at_once(library, account, 2))[0]) == 1
        await library.elements.delete(account.id, made[1].id)  # which no worker has begun, nor will
        assert len((await at_once(library, account, 2))[0]) == 1

    story_of(database_url, tmp_path, story)


def test_a_library_is_not_overfilled_by_requests_at_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(library: Library) -> None:
        monkeypatch.setattr("understudy.tasks.elements.MOST_ELEMENTS", 2)
        made, refused = await at_once(library, await library.its.account(), 4)
        assert (len(made), [error.code for error in refused]) == (2, ["field_invalid"] * 2)

    story_of(database_url, tmp_path, story)


async def at_once(library: Library, account: Any, count: int) -> tuple[list[Element], list[ServiceError]]:
    """Those that were accepted, and how the others were refused."""
    answers = await asyncio.gather(
        *(library.elements.create(account, new()) for _ in range(count)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, ServiceError)]
    made = [answer for answer in answers if isinstance(answer, Element)]
    assert len(made) + len(refused) == count, answers
    return made, refused


def test_too_many_at_once_in_the_words_of_each_entrance(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        native = {"name": "Mina", "images": [LINKS["image_url"]]}
        for _ in range(4):
            assert (await app.client.post("/understudy/v1/elements", json=native)).status_code == 201
        refused = await app.client.post("/understudy/v1/elements", json=native)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_tasks")
        picture = {"image_url": LINKS["image_url"]}
        body = {
            "element_name": "Mina",
            "element_description": "A dancer",
            "reference_type": "image_refer",
            "element_image_list": {"frontal_image": LINKS["image_url"], "refer_images": [picture]},
        }
        refused = await app.client.post(ELEMENTS, json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, 1303)

    with_app(database_url, tmp_path / "data", story)


def test_retention_keeps_what_lives(database_url: str, tmp_path: Path) -> None:
    async def story(library: Library) -> None:
        its, now = library.its, [0.0]
        account = await its.account()
        living, waiting = await library.made(account), await library.elements.create(account, new())
        deleted = await library.made(account)
        await library.elements.delete(account.id, deleted.id)
        library.looker.faults = [TOO_SMALL]
        failed = await library.made(account)
        for gone in (deleted.id, failed.id, 5):  # put there by a worker that came late, or by a lost creation
            its.storage.objects[f"elements/{gone}/view-1"] = b"x"
        retention = ElementRetention(its.database, its.storage, clock=lambda: now[0])

        async def left() -> set[str]:
            await retention.run()
            return {key.split("/")[1] for key in its.storage.objects}

        assert await left() == {str(living.id), str(waiting.id), "5"}
        now[0] = 3601.0
        assert await left() == {str(living.id), str(waiting.id)}

    story_of(database_url, tmp_path, story)


def test_the_round_trip_through_klings_routes(database_url: str, tmp_path: Path) -> None:
    """Created, made by a worker, used by a task that another dialect's route shows, deleted."""

    async def story(app: OpenApp) -> None:
        body = {
            "element_name": "Mina",
            "element_description": "A dancer",
            "reference_type": "image_refer",
            "tag_list": [{"tag_id": "o_102"}],
        }
        with source(b"a picture") as (url, _):
            body["element_image_list"] = {"frontal_image": url, "refer_images": [{"image_url": url}]}  # type: ignore[assignment]
            answer = await app.client.post(ELEMENTS, json=body)
            assert answer.status_code == 200, answer.text
            name = answer.json()["data"]["task_id"]
            looker: Any = Looker()
            element = await app.service.elements.find(1, name)
            with WorkFolders(tmp_path / "work") as folders:
                intake = ElementIntake(
                    ElementWork(app.service.database), app.service.storage, LOOPBACK, looker, folders
                )
                await intake.run(element.id)
        shown = (await app.client.get(f"{ELEMENTS}/{name}")).json()["data"]
        (told,) = shown["task_result"]["elements"]
        assert (shown["task_status"], told["status"], told["element_id"]) == (
            "succeed",
            "succeed",
            element.id,
        )
        assert told["element_image_list"]["frontal_image"] == url
        good = {**LINKS, "character_orientation": "video", "mode": "std"}
        for number in (element.id, str(element.id)):
            made = await app.client.post(MOTION, json=good | {"element_list": [{"element_id": number}]})
            assert made.status_code == 200, made.text
            task_id = made.json()["data"]["task_id"]
            task = await app.service.tasks.find(1, task_id)
            assert await read(app, task.views[1].key) == b"a picture"
        image = good | {"element_list": [{"element_id": element.id}], "character_orientation": "image"}
        refused = await app.client.post(MOTION, json=image)
        assert (refused.status_code, refused.json()["code"]) == (400, 1201)
        assert refused.json()["message"].startswith("character_orientation")
        gone = await app.client.post(
            "/v1/general/delete-advanced-elements", json={"element_id": str(element.id)}
        )
        assert gone.json()["data"] == {"task_id": name, "task_status": "succeed"}
        late = await app.client.post(MOTION, json=good | {"element_list": [{"element_id": element.id}]})
        assert (late.status_code, late.json()["code"]) == (400, 1201)
        assert str(element.id) in late.json()["message"]
        assert (await app.client.get(ELEMENTS)).json()["data"] == []

    with_app(database_url, tmp_path / "data", story)


async def read(app: OpenApp, key: str) -> bytes:
    return b"".join(
        [piece async for piece in app.service.storage.read(key, 0, await app.service.storage.size(key))]
    )


def test_the_native_api(database_url: str, tmp_path: Path) -> None:
    elements = "/understudy/v1/elements"

    async def story(app: OpenApp) -> None:
        content = base64.b64encode(PNG).decode()
        made = await app.client.post(elements, json={"name": "Mina", "images": [content, content]})
        assert made.status_code == 201, made.text
        number = made.json()["id"]
        assert made.headers["location"] == f"http://service.test{elements}/{number}"
        assert (made.json()["status"], made.json()["views"], made.json()["sources"]) == (
            "submitted",
            0,
            [None, None],
        )
        task = {**LINKS, "element_id": number}
        early = await app.client.post("/understudy/v1/tasks", json=task)
        assert (early.status_code, early.json()["error"]["code"]) == (422, "field_invalid")
        assert "still being made" in early.json()["error"]["message"]
        looker: Any = Looker()
        with WorkFolders(tmp_path / "work") as folders:
            work = ElementWork(app.service.database)
            await ElementIntake(work, app.service.storage, LOOPBACK, looker, folders).run(int(number))
        assert looker.seen == [[PNG, PNG]]
        shown = (await app.client.get(f"{elements}/{number}")).json()
        assert (shown["status"], shown["views"], shown["error"]) == ("succeed", 2, None)
        assert (await app.client.get(elements)).json() == {"elements": [shown], "page": 1, "size": 30}
        created = await app.client.post("/understudy/v1/tasks", json=task)
        assert (created.status_code, created.json()["element_id"]) == (201, number)
        theirs = await app.key_of("ben")
        for method, path in (("GET", f"{elements}/{number}"), ("DELETE", f"{elements}/{number}")):
            assert (await app.client.request(method, path, headers=theirs)).status_code == 404
        assert (await app.client.delete(f"{elements}/{number}")).status_code == 204
        assert (await app.client.get(f"{elements}/{number}")).json()["error"]["code"] == "element_unknown"
        assert (await app.client.get(f"{elements}/x")).status_code == 422
        assert (await app.client.get(elements)).json()["elements"] == []
        assert (await app.client.get(elements, headers={"Authorization": ""})).status_code == 401

    with_app(database_url, tmp_path / "data", story)


def test_a_link_to_an_uploaded_file_is_not_fetched(database_url: str, tmp_path: Path) -> None:
    """The upload's address is this test's, where nothing answers."""

    async def story(app: OpenApp) -> None:
        uploads = Uploads(app.service.database, app.service.storage)
        kept = await uploads.keep(1, "a.png", b"uploaded", size_bytes=8, media_type="image/png")
        url = app.service.links.upload(kept.id, "a.png")
        made = await app.client.post("/understudy/v1/elements", json={"name": "Mina", "images": [url]})
        assert made.status_code == 201, made.text
        assert made.json()["sources"] == [url]
        await uploads.keep(1, "a.png", b"another", size_bytes=7, media_type="image/png")  # replaces it
        await app.service.storage.delete(kept.key)
        looker: Any = Looker()
        with WorkFolders(tmp_path / "work") as folders:
            work = ElementWork(app.service.database)
            await ElementIntake(work, app.service.storage, NetworkGuard([]), looker, folders).run(
                int(made.json()["id"])
            )
        assert looker.seen == [[b"uploaded"]]
        element = await app.service.elements.get(1, int(made.json()["id"]))
        assert element.status is Status.SUCCEED
        assert await read(app, element.views[0].key) == b"uploaded"
        asked = await app.client.get(f"/understudy/v1/elements/{element.id}")
        assert asked.json()["sources"] == [url]
        gone = await app.client.post(
            "/understudy/v1/elements",
            json={"name": "Mina", "images": [url.replace("/uploads/", "/uploads/1")]},
        )
        assert gone.status_code == 422

    with_app(database_url, tmp_path / "data", story)
