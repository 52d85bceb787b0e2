"""Serve the API until a signal ends it: requests in flight are answered first, within limits."""

from __future__ import annotations

import asyncio
import socket

import structlog
import uvicorn

from pipeline.errors import MisconfiguredError
from worker.api.app import build_app
from worker.api.services import ApiServices
from worker.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds that requests in flight are given when the process is told to end.
GRACE = 8
_BACKLOG = 512


class AddressInUse(MisconfiguredError):
    """The API cannot listen there; choose another address with --host and --port."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Listen on an address (port 0: any free one) and serve until SIGTERM or SIGINT.

    Raises:
        AddressInUse: It cannot listen there.
        MisconfiguredError: There is no database.
    """
    services = ApiServices(settings)
    listener = _listen(host, port)
    services.warm()
    config = uvicorn.Config(
        build_app(services),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        # Whose address a proxy claims to forward matters to nothing here.
        proxy_headers=False,
        lifespan="on",
        ws="none",
    )
    with listener:
        log.info("api_started", url=_url(listener))
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    log.info("api_stopped")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as exc:
        raise AddressInUse(
            f"the API cannot listen on {host}, port {port} ({exc}); end the program that uses it, or choose another"
            " address with --host and --port (MOBIUS_API_HOST, MOBIUS_API_PORT)."
        ) from exc


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
