"""Callbacks against a real Postgres and real receivers on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from callback_setting import LOOPBACK, OUTPUT, SECRETS, Setting, body_of, run
from receiver import OK, answer, receiving
from sqlalchemy import text
from standardwebhooks import Webhook

from understudy.errors import ClipError, TaskError, UnavailableError
from understudy.media.network import NetworkGuard
from understudy.tasks import callbacks, delivery_log, posting, trial, webhooks
from understudy.tasks.callbacks import BACK_OFF_S, Deliverer
from understudy.tasks.database import Database
from understudy.tasks.seal import Secrets

BROKEN = ClipError("clip_unreadable", "The video cannot be read.", fix="Use another.")


def test_each_change_is_posted_signed_and_logged(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with its.database.begin() as connection:
            old = (await webhooks.rotate(connection, SECRETS, account.id)).secret
            new = (await webhooks.rotate(connection, SECRETS, account.id)).secret
            assert await webhooks.current(connection, SECRETS, account.id) == [new, old]
        async with receiving(answer(204)) as receiver:
            task = await its.task(account, receiver.url)
            await its.run_through(task)
            for delivery_id in its.put_in():
                assert await its.deliverer.deliver(delivery_id) is None
                assert await its.deliverer.deliver(delivery_id) is None  # over: nobody is called again

        assert [json.loads(each.body)["task_status"] for each in receiver.received] == [
            "submitted",
            "processing",
            "succeed",
        ]
        for each, delivery_id in zip(receiver.received, its.put_in(), strict=True):
            assert each.headers["content-type"] == "application/json; charset=utf-8"
            assert each.headers["user-agent"].startswith("Understudy/")
            assert each.headers["webhook-id"] == f"msg_{delivery_id}"
            assert len(each.headers["webhook-signature"].split(" ")) == 2
            Webhook(new).verify(each.body, each.headers)
            Webhook(old).verify(each.body, each.headers)
        logged = await its.log(account)
        assert [(each.id, each.status, each.state) for each in reversed(logged)] == [
            (delivery_id, status, "delivered")
            for delivery_id, status in zip(its.put_in(), ["submitted", "processing", "succeed"], strict=True)
        ]
        for each in logged:
            assert [(one.http_status, one.error) for one in each.tries] == [(204, "")]
            assert each.ended_at is not None
            assert each.next_at is None

    run(database_url, story)


def test_an_account_without_a_secret_gets_unsigned_callbacks(database_url: str) -> None:
    async def story(its: Setting) -> None:
        stranger = await its.account("stranger")
        async with its.database.begin() as connection:
            await webhooks.rotate(connection, SECRETS, stranger.id)
        async with receiving() as receiver:
            await its.task(await its.account(), receiver.url)
            assert await its.deliverer.deliver(its.put_in()[0]) is None
        headers = receiver.received[0].headers
        assert "webhook-signature" not in headers
        assert headers["webhook-id"]
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5

    run(database_url, story)


def test_an_old_secret_stops_signing_after_its_week(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with its.database.begin() as connection:
            made = [(await webhooks.rotate(connection, SECRETS, account.id)).secret for _ in range(3)]
            assert await webhooks.current(connection, SECRETS, account.id) == made[::-1]
            ends = (
                await connection.scalars(
                    text("SELECT expires_at - created_at FROM webhook_secrets ORDER BY id LIMIT 2")
                )
            ).all()
            assert all(abs(end - timedelta(days=7)) < timedelta(minutes=1) for end in ends)
            await connection.execute(
                text("UPDATE webhook_secrets SET expires_at = expires_at - interval '7 days'")
            )
        async with its.database.begin() as connection:
            assert await webhooks.current(connection, SECRETS, account.id) == made[-1:]
            await webhooks.rotate(connection, SECRETS, account.id)
            assert await connection.scalar(text("SELECT count(*) FROM webhook_secrets")) == 2
            assert not await connection.scalar(
                text("SELECT count(*) FROM webhook_secrets WHERE secret_sealed LIKE '%whsec%'")
            )

    run(database_url, story)


def test_two_rotations_at_once_leave_one_current_secret(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()

        async def rotate() -> None:
            async with its.database.begin() as connection:
                await webhooks.rotate(connection, SECRETS, account.id)

        await asyncio.gather(*(rotate() for _ in range(5)))
        async with its.database.begin() as connection:
            query = text("SELECT count(*) FROM webhook_secrets WHERE expires_at IS NULL")
            assert await connection.scalar(query) == 1

    run(database_url, story)


@pytest.mark.parametrize("end", ["succeed", "failed", "deleted"])
def test_every_try_sends_the_same_bytes_however_far_the_task_is(database_url: str, end: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(answer(500)) as receiver:
            task = await its.task(account, receiver.url)
            (submitted,) = its.put_in()
            assert await its.deliverer.deliver(submitted) is not None
            taken = await its.work.claim(task.id)
            assert taken is not None
            assert await its.work.report(taken, "drawing", 0.5, 9.0)
            await its.make_due(submitted)
            await its.deliverer.deliver(submitted)
            if end == "succeed":
                await its.work.succeed(taken, OUTPUT)
            elif end == "failed":
                await its.work.fail(taken, BROKEN)
            last = its.put_in()[-1]
            await its.deliverer.deliver(last)
            if end == "deleted":
                await its.tasks.delete(account.id, task.id)
            else:
                async with its.database.begin() as connection:  # what the purge leaves
                    await connection.execute(text("UPDATE tasks SET files_deleted_at = now()"))
            for delivery_id in (submitted, last):
                await its.make_due(delivery_id)
                await its.deliverer.deliver(delivery_id)

        by_id: dict[str, set[bytes]] = {}
        for each in receiver.received:
            by_id.setdefault(each.headers["webhook-id"], set()).add(each.body)
        assert {name: len(bodies) for name, bodies in by_id.items()} == {
            f"msg_{submitted}": 1,
            f"msg_{last}": 1,
        }
        assert len(receiver.received) == 5

    run(database_url, story)


def test_a_failed_try_is_tried_again_with_a_fresh_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with its.database.begin() as connection:
            secret = (await webhooks.rotate(connection, SECRETS, account.id)).secret
        async with receiving(answer(500), OK) as receiver:
            await its.task(account, receiver.url)
            (delivery_id,) = its.put_in()
            at = await its.deliverer.deliver(delivery_id)
            assert at is not None
            assert 4 < (at - datetime.now(UTC)).total_seconds() < 5.6
            assert await its.deliverer.deliver(delivery_id) == at  # too early: nobody is called
            assert len(receiver.received) == 1
            waiting = await its.delivery(delivery_id)
            assert (waiting.state, waiting.next_at, waiting.ended_at) == ("pending", at, None)
            await its.make_due(delivery_id)
            monkeypatch.setattr("understudy.tasks.callbacks.time.time", lambda: 1781080794.9)
            assert await its.deliverer.deliver(delivery_id) is None
        first, second = receiver.received
        Webhook(secret).verify(first.body, first.headers)
        assert second.headers["webhook-id"] == first.headers["webhook-id"]
        assert second.headers["webhook-timestamp"] == "1781080794"
        assert second.headers["webhook-signature"] != first.headers["webhook-signature"]
        done = await its.delivery(delivery_id)
        assert done.state == "delivered"
        assert [(one.http_status, one.error) for one in done.tries] == [(500, "answered 500"), (200, "")]

    run(database_url, story)


def test_a_redirect_is_a_failure_and_is_not_followed(database_url: str) -> None:
    async def story(its: Setting) -> None:
        async with receiving() as elsewhere:
            for status in (301, 302, 303, 307, 308, 304):
                async with receiving(answer(status, f"Location: {elsewhere.url}")) as receiver:
                    account = await its.account(f"studio{status}")
                    await its.task(account, receiver.url)
                    assert await its.deliverer.deliver(its.put_in()[-1]) is not None
                    (tried,) = (await its.log(account))[0].tries
                    assert tried.http_status == status
                    assert "redirect" in tried.error
            assert not elsewhere.received

    run(database_url, story)


def test_410_stops_this_and_the_later_ones_of_the_task(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(answer(410), OK) as receiver:
            task = await its.task(account, receiver.url)
            await its.run_through(task)
            for delivery_id in its.put_in():
                assert await its.deliverer.deliver(delivery_id) is None
            assert len(receiver.received) == 1
            logged = await its.log(account, task.id)
            assert [each.state for each in logged] == ["refused"] * 3
            assert "410" in logged[0].tries[0].error
            assert all(each.ended_at is not None for each in logged)

            other = await its.task(account, receiver.url)  # another task is another matter
            await its.deliverer.deliver(its.put_in()[-1])
            assert (await its.log(account, other.id))[0].state == "delivered"

            last = logged[0].id  # and who asks for one again gets it
            async with its.database.begin() as connection:
                await delivery_log.redeliver(connection, its.jobs, last)
            assert its.put_in()[-1] == last
            assert await its.deliverer.deliver(last) is None
            assert (await its.delivery(last)).state == "delivered"

    run(database_url, story)


@pytest.mark.parametrize(
    ("status", "wish", "least_s", "most_s"),
    [
        (429, "120", 119, 121),
        (503, "120", 119, 121),
        (503, "999999", 3599, 3601),
        (429, "1", 4, 5.6),  # sooner than the first pause: that stays
        (429, "soon", 4, 5.6),
        (500, "120", 4, 5.6),
    ],
)
def test_retry_after(database_url: str, status: int, wish: str, least_s: float, most_s: float) -> None:
    async def story(its: Setting) -> None:
        async with receiving(answer(status, f"Retry-After: {wish}")) as receiver:
            await its.task(await its.account(), receiver.url)
            at = await its.deliverer.deliver(its.put_in()[0])
        assert at is not None
        assert least_s < (at - datetime.now(UTC)).total_seconds() < most_s

    run(database_url, story)


def test_retry_after_as_a_date() -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    assert 595 < posting.retry_after(f"{at:%a, %d %b %Y %H:%M:%S} GMT") <= 600
    assert posting.retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    for nonsense in ("", "-5", "1e9", "٣", "Sun, 99 Foo", "nan"):
        assert posting.retry_after(nonsense) == 0


def test_it_is_given_up_after_a_day_of_growing_pauses(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(answer(500)) as receiver:
            await its.task(account, receiver.url)
            (delivery_id,) = its.put_in()
            waits = []
            for _ in range(50):
                begun = datetime.now(UTC)
                at = await its.deliverer.deliver(delivery_id)
                if at is None:
                    break
                waits.append((at - begun).total_seconds())
                await its.make_due(delivery_id)
        assert len(receiver.received) == len(BACK_OFF_S) + 1
        for waited, planned in zip(waits, BACK_OFF_S, strict=True):
            assert 0.9 * planned <= waited <= 1.1 * planned + 2
        assert 0.9 * 86400 < sum(BACK_OFF_S) < 86400
        ended = await its.delivery(delivery_id)
        assert (ended.state, len(ended.tries)) == ("given_up", 11)

    run(database_url, story)


def test_an_address_that_is_not_allowed_is_given_up_at_once(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        guarded = its.deliverer_allowed(())
        async with receiving() as receiver:
            for url in (receiver.url, "http://169.254.169.254/latest", "ftp://example.com/", "http://["):
                await its.task(account, url)
                assert await guarded.deliver(its.put_in()[-1]) is None
                logged = (await its.log(account))[0]
                assert logged.state == "given_up"
                (tried,) = logged.tries
                assert tried.http_status is None
                assert "not public" in tried.error or "cannot be used" in tried.error
            assert not receiver.received
        # An address that may not be called says nothing about its host.
        assert not guarded._receivers._hosts

    run(database_url, story)


def test_a_host_that_answers_nobody_is_put_off_and_comes_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.tasks.receivers.FIRST_PAUSE_S", 0.3)

    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving() as receiver:
            url = receiver.url
        for _ in range(5):
            await its.task(account, url)
        ids = its.put_in()
        for delivery_id in ids:
            assert await its.deliverer.deliver(delivery_id) is not None
        tried = [await its.delivery(delivery_id) for delivery_id in ids]
        assert [len(each.tries) for each in tried] == [1, 1, 1, 0, 0]
        assert [one.error for each in tried for one in each.tries] == ["no connection"] * 3
        assert all(each.state == "pending" and each.next_at is not None for each in tried)

        await asyncio.sleep(0.35)
        server = await asyncio.start_server(_say_ok, "127.0.0.1", int(url.split(":")[2].split("/")[0]))
        async with server:
            for delivery_id in reversed(ids):  # the first is the probe, and opens it for the rest
                await its.make_due(delivery_id)
                assert await its.deliverer.deliver(delivery_id) is None
        assert [(await its.delivery(each)).state for each in ids] == ["delivered"] * 5

    run(database_url, story)


async def _say_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    await reader.read()
    writer.close()


def test_when_the_day_is_over_it_is_not_put_off_for_ever(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving() as receiver:
            url = receiver.url
        for _ in range(4):
            await its.task(account, url)
        for delivery_id in its.put_in():
            await its.deliverer.deliver(delivery_id)
        async with its.database.begin() as connection:
            await connection.execute(
                text("UPDATE deliveries SET created_at = now() - interval '25 hours', next_at = now()")
            )
        for delivery_id in its.put_in():
            assert await its.deliverer.deliver(delivery_id) is None
            ended = await its.delivery(delivery_id)
            assert ended.state == "given_up"
            assert ended.tries[-1].error == callbacks.AFTER_A_DAY

    run(database_url, story)


def test_slow_and_broken_receivers(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        deliverer = its.deliverer_allowed(LOOPBACK, timeout_s=0.5)
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
        cases = [
            (b"", None, "no answer within 0.5 s", "pending"),
            (b"HTTP/1.1 200 OK\r\nX-Endless: ", None, "no answer within 0.5 s", "pending"),
            (b"SSH-2.0-OpenSSH\r\nContent-Length\r\n\r\n", None, "the connection broke off", "pending"),
            (endless, 200, "", "delivered"),
            (b"HTTP/1.1 200 OK\r\n\r\nx", 200, "", "delivered"),  # a body that never ends
            (answer(999), 999, "answered 999", "pending"),
            (answer(200, "Content-Encoding: gzip", body=b"no gzip"), 200, "", "delivered"),
        ]
        for told, status, error, state in cases:
            async with receiving(told) as receiver:
                await its.task(account, receiver.url)
                begun = time.monotonic()
                await deliverer.deliver(its.put_in()[-1])
                assert time.monotonic() - begun < 4
            logged = (await its.log(account))[0]
            assert logged.state == state, told[:40]
            assert (logged.tries[0].http_status, logged.tries[0].error[: len(error)]) == (status, error)

    run(database_url, story)


def test_a_cookie_or_a_secret_in_the_url_goes_nowhere_else(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(answer(500, "Set-Cookie: of=another")) as receiver:
            await its.task(account, f"{receiver.url}?token=swordfish")
            (delivery_id,) = its.put_in()
            await its.deliverer.deliver(delivery_id)
            await its.make_due(delivery_id)
            await its.deliverer.deliver(delivery_id)
        assert [each.path for each in receiver.received] == ["/hook?token=swordfish"] * 2
        assert not any("cookie" in each.headers for each in receiver.received)
        assert "swordfish" not in str((await its.delivery(delivery_id)).tries)

    run(database_url, story)


def test_two_jobs_for_one_delivery_call_once(database_url: str) -> None:
    async def story(its: Setting) -> None:
        async with receiving() as receiver:
            await its.task(await its.account(), receiver.url)
            (delivery_id,) = its.put_in()
            other = its.deliverer_allowed(LOOPBACK)
            again = await asyncio.gather(
                *(one.deliver(delivery_id) for one in (its.deliverer, other, its.deliverer))
            )
            assert len(receiver.received) == 1
            assert None in again

    run(database_url, story)


def test_secrets_of_a_lost_word_are_told_in_the_log(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with its.database.begin() as connection:
            await webhooks.rotate(connection, Secrets(["another word, now lost"]), account.id)
        async with receiving() as receiver:
            await its.task(account, receiver.url)
            assert await its.deliverer.deliver(its.put_in()[0]) is not None
            assert not receiver.received
            (tried,) = (await its.log(account))[0].tries
            assert "cannot be signed" in tried.error
            async with its.database.begin() as connection:  # the way out
                new = (await webhooks.rotate(connection, SECRETS, account.id)).secret
            await its.make_due(its.put_in()[0])
            assert await its.deliverer.deliver(its.put_in()[0]) is None
        Webhook(new).verify(receiver.received[0].body, receiver.received[0].headers)

    run(database_url, story)


def test_without_the_database_the_job_is_to_be_tried_again() -> None:
    async def story() -> None:
        database = Database("postgresql://nobody@/none?host=/nonexistent")
        deliverer = Deliverer(database, NetworkGuard(LOOPBACK), SECRETS, body_of)
        with pytest.raises(UnavailableError):
            await deliverer.deliver(1)
        await database.close()

    asyncio.run(story())


def test_the_log_is_the_accounts_own(database_url: str) -> None:
    async def story(its: Setting) -> None:
        mine, other = await its.account("mine"), await its.account("other")
        task = await its.task(mine, "http://127.0.0.1:9/")
        await its.task(mine, "http://127.0.0.1:9/")
        await its.task(other, "http://127.0.0.1:9/")
        assert [each.id for each in await its.log(mine)] == its.put_in()[1::-1]
        assert [each.task_id for each in await its.log(mine, task.id)] == [task.id]
        assert await its.log(other, task.id) == []
        async with its.database.begin() as connection:
            assert len(await delivery_log.log(connection, limit=2)) == 2
            with pytest.raises(TaskError) as refused:
                await delivery_log.redeliver(connection, its.jobs, 12345)
        assert refused.value.code == "delivery_unknown"

    run(database_url, story)


def test_one_that_waits_can_be_delivered_now(database_url: str) -> None:
    async def story(its: Setting) -> None:
        async with receiving(answer(500), OK) as receiver:
            await its.task(await its.account(), receiver.url)
            (delivery_id,) = its.put_in()
            await its.deliverer.deliver(delivery_id)
            async with its.database.begin() as connection:
                await delivery_log.redeliver(connection, its.jobs, delivery_id)
            assert await its.deliverer.deliver(delivery_id) is None
            assert len(receiver.received) == 2
            assert [one.http_status for one in (await its.delivery(delivery_id)).tries] == [500, 200]

    run(database_url, story)


def test_the_test_callback(database_url: str) -> None:
    async def story() -> None:
        async with receiving(answer(200, body=b"thanks")) as receiver:
            secret = "whsec_" + "A" * 32
            told = await trial.send_test(NetworkGuard(LOOPBACK), body_of, receiver.url, [secret])
        assert (told.http_status, told.body) == (200, b"thanks")
        (sent,) = receiver.received
        body = Webhook(secret).verify(sent.body, sent.headers)
        assert (body["task_status"], body["video"]) == ("submitted", None)
        assert len(body["task_id"]) == 16

    asyncio.run(story())
