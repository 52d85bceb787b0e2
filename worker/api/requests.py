"""What happens around every request: it gets an id, its one line in the log, and a reply even if we are at fault."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.api.errors import unforeseen

log = structlog.get_logger(__name__)

HEADER = "X-Request-ID"
#: What a client's own request id may look like; any other is replaced, so that none can forge a log line.
_SANE_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,64}")
#: What the log shows where no reply was sent because the client had gone (nginx' number for it).
_CLIENT_GONE = 499
#: Probes come every few seconds; their lines are for debugging.
_QUIET = "/health/"


class RequestRecorder:
    """ASGI middleware, the outermost one. It logs the route's template, never the path, the query or a key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        started = time.perf_counter()

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_marked)
            except ClientDisconnect:
                status = status or _CLIENT_GONE
            except Exception:  # the one place that records what nobody foresaw, and answers it
                log.exception("request_crashed")
                if status:
                    raise
                await unforeseen(request_id)(scope, receive, send_marked)
            finally:
                _record(scope, status, time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "")
    write = log.debug if route.startswith(_QUIET) else log.info
    write(
        "request_served",
        method=scope["method"],
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        tenant_id=scope["state"].get("tenant_id", ""),
    )
