"""The wire before Qdrant, which can be slow, or refuse what would be written. It forwards one request at a time."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

#: What a slow wire adds to every request (seconds).
SLOWNESS = 1.5


class Mood(StrEnum):
    """How the wire is."""

    GOOD = "good"
    SLOW = "slow"
    READ_ONLY = "read only"
    DOWN = "down"


class Wire:
    """A proxy on a port of its own; ``mood`` may be changed while it runs."""

    def __init__(self, target: str) -> None:
        self.mood = Mood.GOOD
        self.client = httpx.Client(base_url=target, timeout=30)
        self._server = _Server(("127.0.0.1", 0), _Exchange)
        self._server.wire = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.client.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    wire: Wire

    def handle_error(self, *_of: object) -> None:
        """Keep quiet: callers are killed here all the time."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mood = self.server.wire.mood
        if mood is Mood.SLOW:
            time.sleep(SLOWNESS)
        if mood is Mood.DOWN:
            self.close_connection = True
            return
        if mood is Mood.READ_ONLY and self._writes():
            self._reply(503, "application/json", b'{"status": {"error": "Service unavailable: read only"}}')
            return
        kept = {name: value for name, value in self.headers.items() if name.lower() in {"api-key", "content-type"}}
        try:
            reply = self.server.wire.client.request(self.command, self.path, content=body, headers=kept)
        except httpx.HTTPError:
            self.close_connection = True  # nobody is there: whoever called is told as bluntly
            return
        self._reply(reply.status_code, reply.headers.get("content-type", "application/json"), reply.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815  the names are http.server's

    def _writes(self) -> bool:
        path = self.path.partition("?")[0]
        return self.command in {"PUT", "PATCH", "DELETE"} or path.endswith(("/delete", "/payload", "/points/batch"))

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """Keep quiet."""
