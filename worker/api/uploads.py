"""Receive an upload: stream it to disk within limits, and let nothing of a request remain that did not arrive whole.

Starlette's parser spools each file to an unnamed temporary one and closes all of them when the stream fails. It reads
names that are not valid UTF-8 as Latin-1 and takes a body without an end for a whole one; neither is right for an
archive of files, so both are undone here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from pipeline.types import Priority
from worker.api.errors import InvalidRequest, MalformedBody, NotMultipart, TooSlow, UploadTooLarge
from worker.naming import MAX_SOURCE_BYTES, fault_of
from worker.sources.upload import MAX_PATH_BYTES, BadPaths, UploadedFile, require_paths

DEFAULT_SOURCE = "upload"
_FIELDS = ("files", "paths", "source", "priority")
#: Seconds for a body to arrive; a client that trickles must not keep others from their turn.
RECEIVE_SECONDS = 300.0
#: Seconds to read on for a client that is told that its body is too large; without it most would never see the reply.
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """``max_bytes`` counts the whole body; ``max_files`` the files in it."""

    max_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that arrived whole, and where they belong."""

    files: Sequence[UploadedFile]
    source: str
    priority: Priority

    def close(self) -> None:
        """Let the files go; safe to call twice."""
        for file in self.files:
            file.content.close()


class _Parser(MultiPartParser):
    """Keeps names and values as the bytes that came, one character each, and refuses a body without an end."""

    _has_ended = False

    def on_part_begin(self) -> None:
        self._charset = "latin-1"
        super().on_part_begin()

    def on_end(self) -> None:
        self._has_ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._has_ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The body ends before its closing boundary.")
        return form


async def receive(request: Request, limits: UploadLimits) -> Upload:
    """Return the uploaded files; the caller closes them.

    Raises:
        NotMultipart, MalformedBody, UploadTooLarge, InvalidRequest, BadPaths: The client must send something else.
        TooSlow: It did not arrive in time.
        ClientDisconnect: The client has gone; nothing of its upload is left.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise NotMultipart
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            form = await _parse(request, limits)
    except TimeoutError as exc:
        raise TooSlow(f"the upload did not arrive within {RECEIVE_SECONDS:.0f} s; send fewer files at once.") from exc
    except UploadTooLarge:
        await _drain(request, limits.max_bytes)
        raise
    try:
        return _upload(form)
    except BaseException:
        await form.close()
        raise


async def _parse(request: Request, limits: UploadLimits) -> FormData:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.max_bytes:
        raise _too_large(limits)
    parser = _Parser(
        Headers(raw=request.headers.raw),
        _bounded(request, limits),
        max_files=limits.max_files,
        max_fields=limits.max_files + len(_FIELDS),
        max_part_size=MAX_SOURCE_BYTES + MAX_PATH_BYTES,
    )
    try:
        return await parser.parse()
    except MultiPartException as exc:
        if exc.message.startswith("Too many files"):
            message = f"the upload has more than {limits.max_files:,} files; send them in several requests."
            raise UploadTooLarge(message) from exc
        raise MalformedBody(f"{MalformedBody.__doc__} ({exc.message})") from exc


async def _bounded(request: Request, limits: UploadLimits) -> AsyncGenerator[bytes, None]:
    received = 0
    async for block in request.stream():
        received += len(block)
        if received > limits.max_bytes:
            raise _too_large(limits)
        yield block


def _too_large(limits: UploadLimits) -> UploadTooLarge:
    return UploadTooLarge(
        f"the upload has more than {limits.max_bytes:,} bytes; send the files in several requests, or raise"
        " MOBIUS_API_UPLOAD_BYTES."
    )


async def _drain(request: Request, max_bytes: int) -> None:
    """Read on and forget, within limits: a connection that is closed on a client that sends loses the reply."""
    if "expect" in request.headers:  # it waits for leave to send
        return
    with suppress(ClientDisconnect, TimeoutError, RuntimeError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            left = max_bytes
            async for block in request.stream():
                left -= len(block)
                if left < 0:
                    return


def _upload(form: FormData) -> Upload:
    if unknown := sorted({name for name in form if name not in _FIELDS}):
        raise InvalidRequest(f"body: there is no field {unknown[0][:100]!r}; use {', '.join(_FIELDS)}.")
    files = [value for value in form.getlist("files") if isinstance(value, UploadFile)]
    if not files or len(files) != len(form.getlist("files")):
        raise InvalidRequest("body.files: send at least one file, with a file name.")
    paths = _texts(form, "paths") or [_utf8(file.filename or "") for file in files]
    if len(paths) != len(files):
        raise InvalidRequest(f"body.paths: there are {len(paths):,} paths for {len(files):,} files; send one for each.")
    require_paths(paths)
    found = [UploadedFile(path, file.size or 0, file.file) for path, file in zip(paths, files, strict=True)]
    return Upload(found, _source(form), _priority(form))


def _source(form: FormData) -> str:
    source = _single(form, "source") or DEFAULT_SOURCE
    if fault := fault_of(source, MAX_SOURCE_BYTES):
        raise InvalidRequest(f"body.source: {fault}.")
    return source


def _priority(form: FormData) -> Priority:
    word = _single(form, "priority") or Priority.NORMAL.value
    try:
        return Priority(word)
    except ValueError as exc:
        raise InvalidRequest(f"body.priority: it is one of {', '.join(Priority)}.") from exc


def _single(form: FormData, name: str) -> str:
    values = _texts(form, name)
    if len(values) > 1:
        raise InvalidRequest(f"body.{name}: it was sent {len(values):,} times; send it once.")
    return values[0] if values else ""


def _texts(form: FormData, name: str) -> list[str]:
    values = form.getlist(name)
    if not all(isinstance(value, str) for value in values):
        raise InvalidRequest(f"body.{name}: it is a text, not a file.")
    return [_utf8(value) for value in values if isinstance(value, str)]


def _utf8(raw: str) -> str:
    """Return the text whose bytes the parser kept.

    Raises:
        BadPaths: They are not valid UTF-8.
    """
    try:
        return raw.encode("latin-1").decode()
    except UnicodeDecodeError as exc:
        raise BadPaths(
            f"{raw[:100]!r} is not valid UTF-8; encode names and paths so and send all files again."
        ) from exc
