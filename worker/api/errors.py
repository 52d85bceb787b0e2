"""One form for every error: ``{"error": {"code", "message", "request_id"}}``.

``code`` is the error's class name and stable; ``message`` says what to do. What a service said when it failed goes to
the log, never to the client: it holds addresses and user names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pipeline.control import RunEnded, UnknownRun
from pipeline.dead_letters import UnknownDeadLetter
from pipeline.errors import IngestError, InputRejected, MisconfiguredError, RateLimited, ServiceUnavailable
from pipeline.intake import SourceBusy
from worker.sources.upload import BadPaths

log = structlog.get_logger(__name__)

#: Seconds after which a client may try again what a service's outage prevented.
RETRY_AFTER = 5


class Problem(BaseModel):
    """What went wrong. ``code`` is stable, ``message`` is for people, ``request_id`` finds it in the log."""

    code: str
    message: str
    request_id: str


class ProblemReply(BaseModel):
    """The body of every reply that is no success."""

    error: Problem


class ApiError(IngestError):
    """The request cannot be answered."""

    status = 400
    headers: Mapping[str, str] = {}


class NotFound(ApiError):
    """There is nothing of that id in the tenant of this key."""

    status = 404


class Closed(ApiError):
    """Nothing is to be done about this dead letter any more."""

    status = 409


class Unauthorized(ApiError):
    """This needs a valid API key: send `Authorization: Bearer KEY`; `mobius keys create` makes one."""

    status = 401
    headers = {"WWW-Authenticate": 'Bearer realm="mobius"'}  # noqa: RUF012  never changed


class InvalidRequest(ApiError):
    """A value of the request cannot be used."""

    status = 422


class MalformedBody(ApiError):
    """The body is no complete multipart/form-data; send it again."""

    status = 400


class NotMultipart(ApiError):
    """Files are sent as multipart/form-data, in one or more fields called `files`."""

    status = 415


class UploadTooLarge(ApiError):
    """The upload is larger than this server takes at once; send the files in several requests."""

    status = 413


class Overloaded(ApiError):
    """Too many requests of this kind are at work already, and nothing was done; send it again in a few seconds."""

    status = 503
    headers = {"Retry-After": str(RETRY_AFTER)}  # noqa: RUF012  never changed


class TooSlow(ApiError):
    """A service did not answer in time; try again, and look at /health/ready if it lasts."""

    status = 504


def answer(request: Request, exc: IngestError) -> JSONResponse:
    """Return the reply to an error of ours."""
    if isinstance(exc, UnknownRun | UnknownDeadLetter):
        # It was there a moment ago or belongs to somebody else; both are answered alike.
        exc = NotFound()
    if isinstance(exc, ApiError):
        return _reply(request, exc.status, exc.code, str(exc), exc.headers)
    status, message, headers = _translated(exc)
    if status >= 500:
        log.warning("request_failed", error=exc.code, reason=str(exc))
    return _reply(request, status, exc.code, message, headers)


def unforeseen(request_id: str) -> JSONResponse:
    """Return the reply to a fault of ours."""
    message = "This is a fault of the server; nothing that was accepted is lost. Its log has the request id."
    return _body(500, "InternalError", message, request_id, {})


def install(app: FastAPI) -> None:
    """Give every error of the application the one form."""
    app.add_exception_handler(IngestError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_ours(request: Request, exc: Exception) -> JSONResponse:
    return answer(request, exc if isinstance(exc, IngestError) else IngestError())


async def _on_invalid(request: Request, exc: Exception) -> JSONResponse:
    faults = exc.errors() if isinstance(exc, RequestValidationError) else []
    # The value itself is not repeated: it may be a secret in the wrong place.
    message = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {_said(fault)}" for fault in faults)
    return _reply(request, 422, "InvalidRequest", message, {})


async def _on_http(request: Request, exc: Exception) -> JSONResponse:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    headers = (exc.headers if isinstance(exc, HTTPException) else None) or {}
    if status == 404:
        message = "there is nothing at this path; /api/v1/openapi.json lists the ones there are."
        return _reply(request, status, "NotFound", message, headers)
    if status == 405:
        allowed = headers.get("Allow", "another method")
        message = f"this path does not answer {request.method}; use {allowed}."
        return _reply(request, status, "MethodNotAllowed", message, headers)
    return _reply(request, status, "InvalidRequest", "the request cannot be read; check its form.", headers)


def _translated(exc: IngestError) -> tuple[int, str, Mapping[str, str]]:
    again = {"Retry-After": str(RETRY_AFTER)}
    found: tuple[int, str, Mapping[str, str]]
    match exc:
        case BadPaths():
            found = 422, str(exc), {}
        case InputRejected():
            found = 422, "The embedding provider refuses this query; shorten or change it.", {}
        case RunEnded():
            found = 409, str(exc), {}
        case SourceBusy():
            found = 409, "Another ingestion is planning this source; send the request again when it is done.", again
        case RateLimited():
            wait = {"Retry-After": str(max(1, round(exc.retry_after)))}
            found = 503, "The provider asks for fewer requests; try again later.", wait
        case ServiceUnavailable():
            found = 503, f"{exc.service} does not answer; try again. /health/ready shows when it is back.", again
        case MisconfiguredError():
            found = 503, f"The server's configuration does not fit: {type(exc).__doc__}", {}
        case _:
            found = 503, "This could not be done now; try again.", again
    return found


def _said(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")


def _reply(request: Request, status: int, code: str, message: str, headers: Mapping[str, str]) -> JSONResponse:
    return _body(status, code, message, getattr(request.state, "request_id", ""), headers)


def _body(status: int, code: str, message: str, request_id: str, headers: Mapping[str, str]) -> JSONResponse:
    problem = ProblemReply(error=Problem(code=code, message=message, request_id=request_id))
    return JSONResponse(problem.model_dump(), status_code=status, headers=dict(headers))
