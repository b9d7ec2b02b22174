"""Uploaded files: kept by name, replaced, found, counted, and deleted when their days are over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from work_setting import Setting, run

from understudy.errors import FormError, UnavailableError
from understudy.tasks import uploads as module
from understudy.tasks.retention import Retention
from understudy.tasks.tables import uploads
from understudy.tasks.uploads import KeptFile, Uploads


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def of(its: Setting, clock: Clock | None = None) -> Uploads:
    return Uploads(its.database, its.storage, clock=clock or Clock())


async def kept(its: Setting, name: str = "a/b.png", content: bytes = b"one", *, account: int) -> KeptFile:
    return await of(its).keep(account, name, content, size_bytes=len(content), media_type="image/png")


def folders(its: Setting) -> set[str]:
    return {"/".join(key.split("/")[:2]) for key in its.storage.objects}


def test_a_name_is_kept_once_and_no_name_reaches_the_storage(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        mine, other = await its.account("mine"), await its.account("other")
        first = await kept(its, "../../etc/passwd\n", account=mine.id)
        again = await kept(its, "../../etc/passwd\n", b"two", account=mine.id)
        theirs = await kept(its, "../../etc/passwd\n", b"three", account=other.id)
        assert (again.id, again.key != first.key) == (first.id, True)
        assert again.uploaded_at > first.uploaded_at
        assert theirs.id != first.id
        assert its.storage.objects == {again.key: b"two", theirs.key: b"three"}
        assert all("passwd" not in key for key in its.storage.objects)
        assert await of(its).find(first.id) == again
        assert await of(its).find(first.id + 1) is None
        path = tmp_path / "file"
        path.write_bytes(b"from a file")
        filed = await of(its).keep(mine.id, "c", path, size_bytes=11, media_type="video/mp4")
        assert its.storage.objects[filed.key] == b"from a file"
        assert (filed.media_type, filed.size_bytes) == ("video/mp4", 11)
        assert filed.expires_at - filed.uploaded_at == module.LIFE

    run(database_url, tmp_path, story)


def test_the_same_name_at_once_leaves_one_record(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        made = await asyncio.gather(*(kept(its, content=b"%d" % n, account=account.id) for n in range(8)))
        assert len({each.id for each in made}) == 1
        found = await of(its).find(made[0].id)
        assert found is not None
        assert found.key in its.storage.objects
        async with its.database.begin() as connection:
            assert await connection.scalar(select(func.count()).select_from(uploads)) == 1

    run(database_url, tmp_path, story)


def test_an_account_s_room_is_limited(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACCOUNT_FILES", 2)
    monkeypatch.setattr(module, "ACCOUNT_BYTES", 10)

    async def story(its: Setting) -> None:
        mine, other = await its.account("mine"), await its.account("other")
        await kept(its, "a", b"12345", account=mine.id)
        with pytest.raises(FormError, match="too large together") as caught:
            await kept(its, "b", b"123456", account=mine.id)
        assert caught.value.code == "body_too_large"
        await kept(its, "a", b"1234567890", account=mine.id)  # what is replaced does not count
        await kept(its, "a", b"1", account=mine.id)
        await kept(its, "b", b"1", account=mine.id)
        with pytest.raises(FormError, match="too many"):
            await kept(its, "c", b"1", account=mine.id)
        await kept(its, "c", b"1234567890", account=other.id)
        assert len(its.storage.objects) == 3

    run(database_url, tmp_path, story)


def test_uploads_at_once_pass_no_limit(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACCOUNT_FILES", 3)

    async def story(its: Setting) -> None:
        account = await its.account()
        told = await asyncio.gather(
            *(kept(its, f"{n}", account=account.id) for n in range(8)), return_exceptions=True
        )
        assert sum(isinstance(each, KeptFile) for each in told) == 3
        assert sum(isinstance(each, FormError) for each in told) == 5
        assert len(its.storage.objects) == 3  # what was refused is not stored

    run(database_url, tmp_path, story)


def test_above_the_limits_a_file_of_the_account_s_own_can_still_be_replaced(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        for name in "abc":
            await kept(its, name, b"12345", account=account.id)
        monkeypatch.setattr(module, "ACCOUNT_FILES", 2)
        monkeypatch.setattr(module, "ACCOUNT_BYTES", 8)
        again = await kept(its, "a", b"54321", account=account.id)
        assert its.storage.objects[again.key] == b"54321"
        for name, content in (("a", b"123456"), ("d", b"")):
            with pytest.raises(FormError, match="together"):
                await kept(its, name, content, account=account.id)
        assert len(its.storage.objects) == 3

    run(database_url, tmp_path, story)


def test_retention_deletes_them_after_their_days(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        old, young = [await kept(its, name, account=account.id) for name in ("old", "young")]
        assert await of(its).find(old.id) == old
        async with its.database.begin() as connection:
            past = text("now() - interval '1 second'")
            await connection.execute(update(uploads).where(uploads.c.id == old.id).values(expires_at=past))
        assert await of(its).find(old.id) is None
        retention = Retention(its.database, its.storage, its.folders, result_days=30, clock=Clock())
        await retention.run(0)
        assert set(its.storage.objects) == {young.key}
        assert await of(its).find(young.id) == young
        anew = await kept(its, "old", account=account.id)
        assert anew.id != old.id

    run(database_url, tmp_path, story)


def test_what_no_record_has_goes_after_an_hour(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        clock = Clock()
        its.storage.objects["uploads/lost/file"] = b"its process was killed"
        with_record = await kept(its, account=account.id)
        files = of(its, clock)
        await files.delete_expired()
        clock.now = 3599.0
        await files.delete_expired()
        assert folders(its) == {"uploads/lost", with_record.key.rpartition("/")[0]}
        clock.now = 3600.0
        await files.delete_expired()
        assert set(its.storage.objects) == {with_record.key}

    run(database_url, tmp_path, story)


def test_a_storage_that_is_away_leaves_no_record(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        its.storage.away = True
        with pytest.raises(UnavailableError):
            await kept(its, account=account.id)
        its.storage.away = False
        async with its.database.begin() as connection:
            assert await connection.scalar(select(func.count()).select_from(uploads)) == 0

    run(database_url, tmp_path, story)
