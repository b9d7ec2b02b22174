"""Links to uploaded files and to results within a submission: what lies in our own storage need not be fetched."""

from __future__ import annotations

from dataclasses import replace

from understudy.errors import FormError
from understudy.server.files import result_key
from understudy.server.service import Service
from understudy.tasks.element import NewElement, Reference
from understudy.tasks.standing import Standing
from understudy.tasks.submission import Link, Source, Stored, Submission
from understudy.tasks.uploads import Uploads


async def with_own_uploads(service: Service, submission: Submission) -> Submission:
    """The submission with links to uploaded files and to results made into the files themselves: they need not be
    fetched, and may lie at an address that nothing is fetched from. Whoever has such a link may use it. Raises
    FormError (``field_invalid``) for one that leads to no file."""
    image = await _own(service, submission.image, "reference image")
    video = await _own(service, submission.video, "driving video")
    if image is submission.image and video is submission.video:
        return submission
    return replace(submission, image=image, video=video)


async def element_with_own_uploads(service: Service, new: NewElement) -> NewElement:
    """The same for what a new element is made of."""
    what = "element's video" if new.reference is Reference.VIDEO else "element's picture"
    sources = [await _own(service, source, what) for source in new.sources]
    return replace(new, sources=tuple(sources))


async def own_key(service: Service, url: str, what: str) -> str | None:
    """Where the file that one of our own links leads to lies in the storage; None for any other address, and for a
    result that is not there yet. Raises FormError (``field_invalid``), which names ``what`` it was to be, for an
    upload or a result that is not kept."""
    if service.links.leads_to_uploads(url):
        return await _upload_key(service, url, what)
    result = service.links.result_of(url)
    if result is None:
        return None
    task_id, kind = result
    task = await Standing(service.database).known(task_id)
    if task is not None and not task.status.ended:
        return None
    key = None if task is None else result_key(task, kind)
    if key is None:
        raise FormError(
            "field_invalid",
            f"The {what}'s address is that of a result that is not kept here: its task failed, or it was deleted.",
            limit="the link of a result that can be downloaded",
            fix="Use the link of another result, or create that task again.",
        )
    return key


async def _upload_key(service: Service, url: str, what: str) -> str:
    upload_id = service.links.upload_of(url)
    uploads = Uploads(service.database, service.storage)
    kept = None if upload_id is None else await uploads.find(upload_id)
    if kept is None:
        raise FormError(
            "field_invalid",
            f"The {what}'s address is none of an uploaded file that is kept here: they are deleted after 3 days.",
            limit="the link that the upload answered, unchanged",
            fix="Upload the file again, and use its new link unchanged.",
        )
    return kept.key


async def _own(service: Service, source: Source, what: str) -> Source:
    if not isinstance(source, Link):
        return source
    key = await own_key(service, source.url, what)
    return source if key is None else Stored(key, source.url)
