"""Forms with files (``multipart/form-data``): read piece by piece into a folder of our own, never whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from understudy.errors import FormError

MIB = 2**20
PIECE_BYTES = MIB  # what is gathered before a thread writes it
FIELD_BYTES = 64 * 1024


@dataclass
class Form:
    """Texts and files by their names. ``body_sha256`` tells forms of other content apart, whatever their boundary."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    body_sha256: str = ""


@asynccontextmanager
async def uploaded_form(
    request: Request, *, files: Mapping[str, int], fields: Collection[str]
) -> AsyncIterator[Form]:
    """The form of the request; its files are deleted at the end. ``files`` gives each file's limit in bytes.

    Raises FormError: ``body_unreadable``, ``body_too_large``, ``field_invalid``. A file without content counts as
    one that was not chosen.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-") as folder, ExitStack() as open_files:
        reader = _Reader(Path(folder), files, fields, open_files)
        await reader.read(request)
        open_files.close()
        yield reader.form


class _Reader:
    """Callbacks of the parser, which gather; and the loop, which writes what they gathered."""

    def __init__(
        self, folder: Path, files: Mapping[str, int], fields: Collection[str], open_files: ExitStack
    ) -> None:
        self.form = Form()
        self._folder = folder
        self._limits = files
        self._texts = fields
        self._open_files = open_files
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._name = ""
        self._part = bytearray()
        self._part_bytes = 0
        self._file: BinaryIO | None = None
        self._digests: dict[str, hashlib._Hash] = {}
        self._ended = False

    async def read(self, request: Request) -> None:
        _, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary")
        if not boundary:
            raise _unreadable("its Content-Type names no boundary")
        try:
            parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_content,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open,
                    "on_part_data": self._data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
            async for piece in request.stream():
                parser.write(piece)
                if self._file is not None and len(self._part) >= PIECE_BYTES:
                    await asyncio.to_thread(self._write)
            parser.finalize()
        except FormParserError as error:
            raise _unreadable("it is no form as its Content-Type says") from error
        if not self._ended:
            raise _unreadable("it ends too early")
        total = hashlib.sha256()
        for name, digest in sorted(self._digests.items()):
            total.update(f"{name}={digest.hexdigest()};".encode())
        self.form.body_sha256 = total.hexdigest()

    def _begin(self) -> None:
        self._disposition = b""

    def _begin_header(self) -> None:
        self._header_name = self._header_value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_content(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in self._limits and name not in self._texts:
            allowed = ", ".join([*self._limits, *self._texts])
            raise FormError(
                "field_invalid",
                f"There is no field {name[:120]!r}.",
                value=name[:120],
                limit=allowed,
                fix=f"Take it out, or use one of: {allowed}.",
            )
        if name in self._digests:
            raise FormError("field_invalid", f"{name!r} comes twice.", value=name, fix=f"Send one {name!r}.")
        self._name, self._part_bytes = name, 0
        self._digests[name] = hashlib.sha256()
        if name in self._limits:
            path = self._folder / name  # one of our own names
            self._file = self._open_files.enter_context(path.open("xb"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._part_bytes += end - start
        limit = self._limits.get(self._name, FIELD_BYTES)
        if self._part_bytes > limit:
            shown = f"{limit // MIB} MB" if limit >= MIB else f"{limit} bytes"
            raise FormError(
                "body_too_large",
                f"{self._name!r} has more than {shown}.",
                limit=shown,
                fix=f"Send {self._name!r} with at most {shown}.",
            )
        self._part += data[start:end]

    def _end_part(self) -> None:
        if self._file is not None:
            self._write()
            self._file.close()
            self._file = None
            if self._part_bytes:
                self.form.files[self._name] = self._folder / self._name
            return
        self._digests[self._name].update(self._part)
        try:
            self.form.fields[self._name] = self._part.decode()
        except UnicodeDecodeError:
            raise FormError(
                "field_invalid",
                f"{self._name!r} is not in UTF-8.",
                value=self._name,
                limit="UTF-8",
                fix=f"Send {self._name!r} in UTF-8.",
            ) from None
        self._part.clear()

    def _end(self) -> None:
        self._ended = True

    def _write(self) -> None:
        assert self._file is not None
        self._file.write(self._part)
        self._digests[self._name].update(self._part)
        self._part.clear()


def _unreadable(why: str) -> FormError:
    return FormError(
        "body_unreadable",
        f"The request's body cannot be read: {why}.",
        limit="multipart/form-data as of RFC 7578",
        fix="Let your HTTP library make the form; set neither its Content-Type nor its boundary by hand.",
    )
