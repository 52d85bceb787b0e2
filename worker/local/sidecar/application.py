"""The HTTP side: the key is checked, the body bounded and read, and every answer wears Qdrant's envelope."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from worker.local.sidecar.actions import ENDPOINTS, Action, refuse, version_info
from worker.local.sidecar.errors import ApiError, invalid, unsupported
from worker.local.sidecar.store import Store

#: Qdrant's own default for ``max_request_size_mb``, in bytes.
_MAX_BODY = 32 * 1024 * 1024

#: Seconds between two flushes of the write-ahead logs.
_FLUSH_EVERY = 5.0

Endpoint = Callable[[Request], Awaitable[Response]]


def build_application(store: Store, api_key: str | None = None) -> Starlette:
    """Return the ASGI application that serves ``store``, to callers that know ``api_key`` if there is one."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        flushing = asyncio.create_task(_flush_regularly(store))
        yield
        flushing.cancel()

    routes = [Route("/", _root)]
    routes += [Route(path, _alive) for path in ("/healthz", "/readyz", "/livez")]
    paths = dict.fromkeys(path for _, path in ENDPOINTS)
    for path in paths:
        actions = {method: action for (method, known), action in ENDPOINTS.items() if known == path}
        routes.append(Route(path, _endpoint(store, actions, api_key), methods=_METHODS))
    routes.append(Route("/{rest:path}", _endpoint(store, {}, api_key), methods=_METHODS))
    handlers = {ApiError: _refused, HTTPException: _http_refused, Exception: _broken}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)  # type: ignore[arg-type]


_METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]


async def _flush_regularly(store: Store) -> None:
    while True:
        await asyncio.sleep(_FLUSH_EVERY)
        await asyncio.to_thread(store.flush)


async def _root(_request: Request) -> Response:
    return _json(version_info())


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("all shards are ready")


def _endpoint(store: Store, actions: Mapping[str, Action], api_key: str | None) -> Endpoint:
    async def serve(request: Request) -> Response:
        started = time.perf_counter()
        _check_key(request, api_key)
        action = actions.get("GET" if request.method == "HEAD" else request.method, refuse)
        body = await _read(request)
        result = await asyncio.to_thread(_act, action, store, request.path_params, body)
        return _json({"result": result, "status": "ok", "time": time.perf_counter() - started})

    return serve


def _act(action: Action, store: Store, names: Mapping[str, str], body: bytes) -> object:
    try:
        return action(store, names, orjson.loads(body) if body else {})
    except (ValueError, TypeError, OverflowError) as exc:
        # This is how JSON and the engine's own constructors refuse a value; nothing was applied yet.
        raise invalid(str(exc)) from exc


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise ApiError(413, f"Payload error: the body is larger than allowed (limit: {_MAX_BODY} bytes)")
    return bytes(body)


def _check_key(request: Request, api_key: str | None) -> None:
    if api_key is None:
        return
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = request.headers.get("api-key") or (bearer if scheme.lower() == "bearer" else "")
    if not given:
        raise ApiError(401, "Must provide an API key or an Authorization bearer token")
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        raise ApiError(403, "Invalid API key")


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return _json({"status": {"error": message}, "time": 0.0}, status)


async def _refused(_request: Request, exc: ApiError) -> Response:
    return _error(exc.status, exc.message)


async def _http_refused(_request: Request, exc: HTTPException) -> Response:
    return _error(exc.status_code, unsupported(exc.detail).message)


async def _broken(_request: Request, _exc: Exception) -> Response:
    # Starlette raises the exception again once this is sent, so uvicorn logs it with its traceback.
    return _error(500, "Service internal error: see the sidecar's log")
