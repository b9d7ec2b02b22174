"""What a task is made of, in the storage: kept when it is handed in, and found again when it is tried again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from understudy.errors import FormError, ServiceError, TaskError
from understudy.storage import Storage
from understudy.tasks.child import view_names
from understudy.tasks.copies import copy
from understudy.tasks.database import Database
from understudy.tasks.elements import element_deleted, views_of
from understudy.tasks.rows import WHAT, input_key
from understudy.tasks.submission import Inline, Link, Source, Stored, Submission, Upload
from understudy.tasks.task import Task

VIEW = "character's view"


@dataclass(frozen=True)
class Kept:
    """A picture, a video and an element's views: links that a worker fetches, and files in the storage."""

    image: Link | Stored
    video: Link | Stored
    views: tuple[Stored, ...]


class Inputs:
    """Those of all tasks. All methods raise UnavailableError while the storage or the database is away."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def views(self, account_id: int, submission: Submission) -> tuple[Source, ...]:
        """What the task is to get copies of. Raises FormError (``field_invalid``) for an element without views."""
        if submission.views or submission.element_id is None:
            return submission.views
        return await views_of(self._database, account_id, submission.element_id)

    async def keep(self, task_id: int, submission: Submission, views: tuple[Source, ...]) -> Kept:
        """Put what came with the request where the worker finds it. Raises FormError (``field_invalid``) for a file
        that is gone; nothing is left then."""
        try:
            return Kept(
                await self._kept(task_id, "image", submission.image),
                await self._kept(task_id, "video", submission.video),
                await self._kept_views(task_id, submission, views),
            )
        except ServiceError:
            await self.forget(task_id)
            raise

    async def forget(self, task_id: int) -> None:
        """Those of a request that was not accepted. What cannot be deleted now, retention does."""
        with suppress(ServiceError):
            await self._storage.delete(f"inputs/{task_id}")

    async def again(self, task: Task) -> Kept:
        """What was fetched for the task, while it is kept: its links may have expired. Without its own copies of the
        views the element is asked again. Raises TaskError (``inputs_gone``) where there is neither file nor link."""
        return Kept(
            await self._again(task, "image", task.image),
            await self._again(task, "video", task.video),
            await self._views_again(task),
        )

    async def _again(self, task: Task, which: str, source: Link | Stored) -> Link | Stored:
        """What was fetched for the task, while it is kept: its link may have expired. Raises TaskError
        (``inputs_gone``) where there is neither."""
        key = input_key(task.id, which)
        try:
            await self._storage.size(key)
        except ServiceError as error:
            if error.code != "file_missing":
                raise
            if isinstance(source, Link):
                return source
            raise TaskError(
                "inputs_gone",
                "The task's inputs were deleted after its end.",
                fix="Create a new task with the picture and the video.",
            ) from None
        return Stored(key)

    async def _views_again(self, task: Task) -> tuple[Stored, ...]:
        """The task's own copies of its element's views, while all are kept; else the element is asked again."""
        for view in task.views:
            try:
                await self._storage.size(view.key)
            except ServiceError as error:
                if error.code != "file_missing":
                    raise
                return ()
        return task.views

    async def _kept_views(
        self, task_id: int, submission: Submission, views: tuple[Source, ...]
    ) -> tuple[Stored, ...]:
        kept: list[Stored] = []
        for name, view in zip(view_names(len(views)), views, strict=True):
            try:
                copy = await self._kept(task_id, name, view)
            except FormError:  # deleted since it was looked for
                if submission.element_id is None:
                    raise
                raise element_deleted(submission.element_id) from None
            assert isinstance(copy, Stored)  # views never come as links
            kept.append(copy)
        return tuple(kept)

    async def _kept(self, task_id: int, which: str, source: Source) -> Link | Stored:
        """Put what came with the request where the worker finds it."""
        key = input_key(task_id, which)
        match source:
            case Link():
                return source
            case Inline(content):
                await self._storage.put_bytes(key, content)
            case Upload(path):
                await self._storage.put_file(key, path)
            case Stored(other):
                await copy(self._storage, other, key, WHAT.get(which, VIEW))
        return Stored(key)
