"""An account's side of its element library: make, find, list, delete, and the views that a task gets of one."""

from __future__ import annotations

import secrets
from contextlib import suppress

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, FormError, ServiceError, TaskError, UnavailableError
from understudy.storage import Storage
from understudy.tasks.accounts import Account, hold
from understudy.tasks.copies import copy
from understudy.tasks.database import Database
from understudy.tasks.element import (
    COLUMNS,
    MOST_ID,
    Element,
    NewElement,
    Reference,
    element_of,
    folder_of,
    given_folder,
)
from understudy.tasks.jobs import ELEMENT, Jobs
from understudy.tasks.rows import source_json
from understudy.tasks.submission import Inline, Link, Source, Stored, Upload
from understudy.tasks.tables import elements
from understudy.tasks.task import Status, new_id

LEAST_ID = 10**14
MOST_ELEMENTS = 1000  # of an account; each is kept until it is deleted
MOST_MAKINGS = 4  # of an account, waiting or begun
NAME_SHOWN = 256
WHAT = {Reference.IMAGES: "element's picture", Reference.VIDEO: "element's video"}


class Elements:
    """What an account may do with its elements. All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database, jobs: Jobs, storage: Storage, *, closed: bool = False) -> None:
        """``closed``: none are made, for maintenance."""
        self._database = database
        self._jobs = jobs
        self._storage = storage
        self._closed = closed

    async def create(self, account: Account, new: NewElement) -> Element:
        """Accept a new element: its record and the job that fetches its pictures.

        Raises FormError (``external_id_taken``, ``field_invalid`` where the library is full, or an uploaded file is
        gone), AccountError (``too_many_tasks``), UnavailableError (``maintenance``).
        """
        if self._closed:
            raise UnavailableError(
                "maintenance",
                "The service is in maintenance and takes no new elements; those accepted go on.",
                fix="Send it again later.",
            )
        element_id = LEAST_ID + secrets.randbelow(MOST_ID + 1 - LEAST_ID)
        try:
            kept = [
                await self._keep(element_id, index, source, new.reference)
                for index, source in enumerate(new.sources)
            ]
        except ServiceError:
            await self._forget(element_id)
            raise
        # Where the database is lost it may have been accepted: retention deletes files that no element has.
        try:
            return await self._insert(account.id, element_id, new, kept)
        except (FormError, AccountError):
            await self._forget(element_id)
            raise

    async def find(self, account_id: int, name: str) -> Element:
        """The element whose making has that id, in decimal, or that external id; a deleted one too. Raises TaskError
        (``element_unknown``)."""
        number = int(name) if name.isascii() and name.isdigit() and len(name) <= 16 else None
        mine = elements.c.external_task_id == name
        if number is not None:
            mine |= elements.c.task_id == number
        element = None
        if "\0" not in name:  # which the database would refuse to look for
            query = select(*COLUMNS).where(elements.c.account_id == account_id, mine)
            async with self._database.read() as connection:
                found = [element_of(row) for row in await connection.execute(query)]
            element = next((each for each in found if each.task_id == number), next(iter(found), None))
        if element is None:
            raise TaskError(
                "element_unknown",
                f"There is no element with the task/external id {name[:NAME_SHOWN]!r} in this account.",
                value=name[:NAME_SHOWN],
                fix="Check the id, and that the key belongs to the account which made the element.",
            )
        return element

    async def page(self, account_id: int, number: int, size: int) -> list[Element]:
        """Page ``number`` (from 1) of the account's elements that it has not deleted, newest first."""
        query = (
            select(*COLUMNS)
            .where(elements.c.account_id == account_id, elements.c.deleted_at.is_(None))
            .order_by(elements.c.created_at.desc(), elements.c.id.desc())
            .limit(size)
            .offset((number - 1) * size)
        )
        async with self._database.read() as connection:
            return [element_of(row) for row in await connection.execute(query)]

    async def get(self, account_id: int, element_id: int) -> Element:
        """The element of that id. Raises TaskError (``element_unknown``), also for a deleted one."""
        element = await element_with(self._database, account_id, element_id)
        if element is None:
            raise TaskError(
                "element_unknown",
                f"There is no element {element_id} in this account.",
                value=str(element_id),
                fix="Check the element_id: the list of elements has those that there are.",
            )
        return element

    async def delete(self, account_id: int, element_id: int) -> Element:
        """Delete it with its pictures. Tasks that were made with it have copies of their own. Raises TaskError
        (``element_unknown``)."""
        element = await self.get(account_id, element_id)
        async with self._database.begin() as connection:
            await connection.execute(
                update(elements)
                .where(elements.c.id == element.id)
                .values(deleted_at=func.clock_timestamp(), updated_at=func.clock_timestamp())
            )
        await self._storage.delete(
            folder_of(element.id)
        )  # what its job may still put there, retention deletes
        return element

    async def _insert(
        self, account_id: int, element_id: int, new: NewElement, sources: list[Link | Stored]
    ) -> Element:
        query = (
            insert(elements)
            .values(
                id=element_id,
                task_id=new_id(),
                account_id=account_id,
                external_task_id=new.external_task_id,
                name=new.name,
                description=new.description,
                reference_type=new.reference,
                sources=[source_json(source) for source in sources],
                voice_id=new.voice_id,
                tags=list(new.tags),
                callback_url=new.callback_url,
                status=Status.SUBMITTED,
                created_at=func.now(),
                updated_at=func.now(),
            )
            .returning(*COLUMNS)
        )
        try:
            async with self._database.begin() as connection:
                await _check_room(connection, account_id)
                element = element_of((await connection.execute(query)).one())
                await self._jobs.put(connection, ELEMENT, element.id)
        except IntegrityError as error:
            if "elements_external" not in str(error.orig):
                raise
            raise FormError(
                "external_id_taken",
                f"external_task_id {new.external_task_id!r} already exists in this account.",
                value=new.external_task_id,
                fix="Choose one that was never used, or query the element that has it.",
            ) from None
        return element

    async def _forget(self, element_id: int) -> None:
        with suppress(ServiceError):
            await self._storage.delete(folder_of(element_id))

    async def _keep(self, element_id: int, index: int, source: Source, reference: Reference) -> Link | Stored:
        """Put what came with the request, or was uploaded before, where the worker finds it. Raises FormError
        (``field_invalid``) for an upload that is gone."""
        key = f"{given_folder(element_id)}/{index + 1}"
        match source:
            case Link():
                return source
            case Stored(other, link):
                await copy(self._storage, other, key, WHAT[reference])
                return Stored(key, link)
            case Inline(content):
                await self._storage.put_bytes(key, content)
            case Upload(path):
                await self._storage.put_file(key, path)
        return Stored(key)


async def _check_room(connection: AsyncConnection, account_id: int) -> None:
    """Raise AccountError where as many elements are being made as may be, FormError where the library is full. A
    deleted one that a worker has taken up is still being made. Requests at once wait for each other."""
    await hold(connection, account_id)
    kept = elements.c.deleted_at.is_(None)
    making = elements.c.ended_at.is_(None) & (kept | (elements.c.status == Status.PROCESSING))
    query = select(func.count().filter(making).label("making"), func.count().filter(kept).label("kept"))
    found = (await connection.execute(query.where(elements.c.account_id == account_id))).one()
    if found.making >= MOST_MAKINGS:
        raise AccountError(
            "too_many_tasks",
            f"{found.making} elements of the account are being made; {MOST_MAKINGS} are the most at once.",
            value=f"{found.making} elements being made",
            limit=f"{MOST_MAKINGS} at once",
            fix="Wait until one of them ends, then send it again.",
        )
    if found.kept >= MOST_ELEMENTS:
        raise FormError(
            "field_invalid",
            f"The account has {found.kept} elements; {MOST_ELEMENTS} are the most.",
            value=f"{found.kept} elements",
            limit=f"{MOST_ELEMENTS} elements",
            fix="Delete those that are not needed.",
        )


async def element_with(database: Database, account_id: int, element_id: int) -> Element | None:
    """The account's element of that id, unless it deleted it."""
    if not 0 <= element_id <= MOST_ID:
        return None
    query = select(*COLUMNS).where(
        elements.c.id == element_id, elements.c.account_id == account_id, elements.c.deleted_at.is_(None)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else element_of(row)


async def views_of(database: Database, account_id: int, element_id: int) -> tuple[Stored, ...]:
    """The views of an element that a task names, the frontal one first. Raises FormError (``field_invalid``) where it
    is none of the account's, or has no views (yet)."""
    element = await element_with(database, account_id, element_id)
    if element is None:
        raise element_deleted(element_id)
    if element.status is Status.FAILED:
        raise element_refused(element_id, "an element whose making failed", "Create the element anew.")
    if element.status is not Status.SUCCEED:
        raise element_refused(
            element_id,
            f"an element that is still being made ({element.status})",
            f"Send it again once the element's task {element.task_id} says succeed.",
        )
    return element.views


def element_deleted(element_id: int) -> FormError:
    """Of one that is not there, or not there any more."""
    return element_refused(
        element_id, "no element of this account", "Take an id from the list of your elements."
    )


def element_refused(element_id: int, why: str, fix: str) -> FormError:
    return FormError(
        "field_invalid",
        f"element_id is {element_id}, which is {why}; allowed: an element of this account that has succeeded.",
        value=str(element_id),
        limit="an element of this account that has succeeded",
        fix=fix,
    )
