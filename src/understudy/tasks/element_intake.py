"""The making of an element: fetch what shows the character once, since sources expire, check it, and keep its views."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from understudy.errors import UnavailableError, UnderstudyError
from understudy.media.fetch import fetch
from understudy.media.limits import PICTURE_BYTES
from understudy.media.network import NetworkGuard
from understudy.storage import Storage
from understudy.tasks.child import VIDEO, view_names
from understudy.tasks.element import Element, Reference, folder_of, given_folder, view_key
from understudy.tasks.element_limits import ELEMENT_CLIP_BYTES
from understudy.tasks.element_work import ElementWork
from understudy.tasks.folders import WorkFolders
from understudy.tasks.intake import get_input
from understudy.tasks.patience import patiently
from understudy.tasks.renderer import ChildDied, Renderer
from understudy.tasks.submission import Link, Stored
from understudy.tasks.task import Status

CHECKS_AT_ONCE = 1
PICTURE_DEADLINE_S, VIDEO_DEADLINE_S = 60.0, 300.0

logger = logging.getLogger(__name__)


class ElementIntake:
    """Makes elements. ``run`` is the function of the queue's element jobs."""

    def __init__(
        self,
        work: ElementWork,
        storage: Storage,
        guard: NetworkGuard,
        renderer: Renderer,
        folders: WorkFolders,
    ) -> None:
        self._work = work
        self._storage = storage
        self._guard = guard
        self._renderer = renderer
        self._folders = folders
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def run(self, element_id: int) -> datetime | None:
        """Each try counts: what is not foreseen escapes, and the queue has it tried again until they are used up. One
        whose account has enough in the making waits in the queue, where others pass it."""
        while True:
            element = await patiently(lambda: self._work.claim(element_id))
            if isinstance(element, datetime):
                return element
            if element is None:
                await self._drop(element_id)
                return None
            try:
                async with self._folders.new(element.id) as folder:
                    await self._succeed(element, await self._take_in(element, folder))
            except ChildDied as error:
                logger.warning("element %d: the look at its pictures died: %s", element.id, error)
                continue
            except UnderstudyError as error:
                await self._fail(element, error)
            await self._drop(element_id)
            return None

    async def _take_in(self, element: Element, folder: Path) -> list[str]:
        """The views' keys, with the views in the storage and found right."""
        pictures = element.reference is Reference.IMAGES
        names = view_names(len(element.sources)) if pictures else (VIDEO,)
        try:
            async with asyncio.TaskGroup() as all_of_them:
                for name, source in zip(names, element.sources, strict=True):
                    all_of_them.create_task(self._get(source, folder / name))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        async with self._checks:
            count = await self._renderer.views(folder, element.id, len(names) if pictures else 0)
        keys = []
        for name in view_names(count):
            keys.append(view_key(element.id, name))
            await self._put(keys[-1], folder / name)
        return keys

    async def _succeed(self, element: Element, views: list[str]) -> None:
        await patiently(lambda: self._work.succeed(element.id, views))
        logger.info("element %d: made, with %d views", element.id, len(views))

    async def _fail(self, element: Element, error: UnderstudyError) -> None:
        await patiently(lambda: self._work.fail(element.id, error))
        logger.info("element %d: failed [%s]", element.id, error.code)

    async def _put(self, key: str, path: Path) -> None:
        await patiently(lambda: self._storage.put_file(key, path))

    async def _get(self, source: Link | Stored, path: Path) -> None:
        if isinstance(source, Stored):
            await get_input(self._storage, source.key, path)
            return
        video = path.name == VIDEO
        await patiently(
            lambda: fetch(
                source.url,
                path,
                guard=self._guard,
                limit_bytes=ELEMENT_CLIP_BYTES if video else PICTURE_BYTES,
                deadline_s=VIDEO_DEADLINE_S if video else PICTURE_DEADLINE_S,
                what="element's video" if video else "element's picture",
            )
        )

    async def _drop(self, element_id: int) -> None:
        """Delete what lies in the storage for nobody: of an element that failed or is deleted all, else what came with
        the request. Looks first: the answer to its end may have been lost with the database. Of a deleted
        one it says that it is no longer being made."""
        element = await patiently(lambda: self._work.load(element_id))
        if element is not None and element.deleted_at is not None:
            await patiently(lambda: self._work.let_go(element_id))
        with suppress(UnavailableError):  # retention does it later
            if element is None or element.deleted_at is not None or element.status is Status.FAILED:
                await self._storage.delete(folder_of(element_id))
            elif element.status is Status.SUCCEED:
                await self._storage.delete(given_folder(element_id))
