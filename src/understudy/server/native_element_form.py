"""The native API's request for a new element: its fields, and the way from them to what the library takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from understudy.server.dialects.body import json_object
from understudy.server.dialects.fields import (
    URL_CHARACTERS,
    http_url,
    invalid,
    missing,
    shown,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_element_form import DESCRIPTION_CHARACTERS, NAME_CHARACTERS
from understudy.server.dialects.kling_form import EXTERNAL_ID_CHARACTERS, picture
from understudy.tasks.element import NewElement, Reference
from understudy.tasks.element_limits import MOST_VIEWS
from understudy.tasks.submission import Inline, Link

EXAMPLE = {
    "name": "Mina",
    "images": ["https://example.com/front.png", "https://example.com/side.png"],
}


class NewElementBody(BaseModel):
    """What a new element is made of: either `images` or `video_url`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, title="NewElement")

    name: Annotated[str, StringConstraints(max_length=NAME_CHARACTERS)]
    """Its name."""
    description: str | None = Field(default=None, max_length=DESCRIPTION_CHARACTERS)
    """What it is."""
    images: list[str] | None = Field(default=None, max_length=MOST_VIEWS)
    """One to four pictures of the character, the one from the front first: each a link (http or https) or base64
    without a prefix; JPEG or PNG, at most 10 MB."""
    video_url: str | None = Field(default=None, max_length=URL_CHARACTERS)
    """Where a video of the character lies, from which up to four views are picked: MP4 or MOV, 3 to 8 s, at most
    200 MB."""
    external_id: str | None = Field(default=None, max_length=EXTERNAL_ID_CHARACTERS)
    """A name of your own, unique among the account's elements for ever."""


FIELDS = tuple(NewElementBody.model_fields)


def decode_element(content: bytes) -> NewElement:
    """The element that a JSON body asks for. Raises FormError, its message naming the field."""
    body = json_object(content)
    if unknown_keys(body, FIELDS, kind="", what="The body"):
        other = next(key for key in body if key not in FIELDS)
        raise invalid(
            "The body", f"an object with the key {shown(other)}", ", ".join(FIELDS), fix="Take it out."
        )
    name = text(body, "name", most=NAME_CHARACTERS)
    if not name:
        raise missing("name", f"a text of at most {NAME_CHARACTERS} characters")
    description = text(body, "description", most=DESCRIPTION_CHARACTERS)
    images, video = body.get("images"), body.get("video_url")
    if images and video:
        raise invalid("video_url", "given beside images", "one of the two", fix="Send one of them.")
    sources: tuple[Link | Inline, ...] = (Link(http_url("video_url", video)),) if video else _images(body)
    return NewElement(
        name=name,
        description=description,
        reference=Reference.VIDEO if video else Reference.IMAGES,
        sources=sources,
        external_task_id=text(body, "external_id", most=EXTERNAL_ID_CHARACTERS) or None,
    )


def _images(body: Mapping[str, Any]) -> tuple[Link | Inline, ...]:
    value = body.get("images")
    allowed = f"an array of 1 to {MOST_VIEWS} pictures, each {PICTURES}"
    if value is None or value == []:
        raise missing("images", f"{allowed}; or video_url")
    if not isinstance(value, list) or len(value) > MOST_VIEWS:
        raise invalid("images", shown(value), allowed)
    return tuple(picture(f"images[{index}]", one) for index, one in enumerate(value))
