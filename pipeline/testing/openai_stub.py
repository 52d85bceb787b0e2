"""A local server that answers ``POST /v1/embeddings`` like OpenAI, records every call and fails when told to.

It runs inside a test (``with OpenAIStub() as stub``) or as a process of its own, for tests of other processes::

    python -m pipeline.testing.openai_stub --port 8900 --dims 64 --record calls.jsonl --latency-ms 50

which appends one JSON line per call to the file: ``{"at": <Unix seconds>, "status": 200, "inputs": [...]}``.
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pipeline.testing.vectors import hashed_numbers, pack


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call; it is used up by the first call that has ``text`` in one of its inputs.

    ``body`` replaces the answer's body; ``drop`` leaves out that many vectors; ``dims`` and ``value`` change what the
    vectors are; ``cut`` ends the body half-way, ``hang_up`` also says that more was to come; ``reset`` breaks the
    connection without an answer. ``delay`` (seconds) comes on top of the latency.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    drop: int = 0
    dims: int | None = None
    value: float | None = None
    cut: bool = False
    hang_up: bool = False
    reset: bool = False
    delay: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call as it arrived, and the status that it was answered with."""

    inputs: tuple[str, ...]
    request: Mapping[str, object]
    authorization: str
    status: int


class OpenAIStub:
    """The server. ``latency`` (seconds), ``faults`` and ``only_floats`` may be changed while it runs.

    Args:
        dims: Dimensions of the vectors; a request's ``dimensions`` overrides it.
        port: 0 picks a free one.
        api_key: The key that callers must send; None takes any.
        record: A file to append one JSON line per call to.
    """

    def __init__(
        self,
        dims: int = 8,
        *,
        port: int = 0,
        latency: float = 0.0,
        api_key: str | None = None,
        record: Path | None = None,
    ) -> None:
        self.dims = dims
        self.latency = latency
        self.faults: deque[Fault] = deque()
        self.only_floats = False
        self.calls: list[RecordedCall] = []
        self.most_at_once = 0
        self._api_key = api_key
        self._record = record
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Exchange)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> OpenAIStub:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self) -> None:
        """Serve in this thread until the process is ended."""
        self._server.serve_forever()

    def __enter__(self) -> OpenAIStub:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def inputs(self) -> list[str]:
        """Return every text that was sent, in order, repeated ones as often as they were."""
        return [text for call in self.calls for text in call.inputs]

    def numbers(self, text: str, dims: int) -> Sequence[float]:
        """Return a text's vector, which depends on nothing else."""
        return hashed_numbers(text, dims)

    def answer(self, request: Mapping[str, object], authorization: str) -> tuple[Fault, bytes]:
        """Record a call and return the fault that it meets (one without effect, mostly) and the body."""
        given = request.get("input")
        inputs = (given,) if isinstance(given, str) else tuple(map(str, given)) if isinstance(given, list) else ()
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self._next_fault(inputs, authorization)
        time.sleep(self.latency + fault.delay)
        with self._lock:
            self._at_once -= 1
            self.calls.append(RecordedCall(inputs, request, authorization, fault.status))
            self._write_record(inputs, fault.status)
        return fault, fault.body if fault.body is not None else self._body(request, inputs, fault)

    def _next_fault(self, inputs: Sequence[str], authorization: str) -> Fault:
        if self._api_key is not None and authorization != f"Bearer {self._api_key}":
            return Fault(status=401)
        for fault in self.faults:
            if any(fault.text in text for text in inputs):
                self.faults.remove(fault)
                return fault
        return Fault()

    def _write_record(self, inputs: Sequence[str], status: int) -> None:
        if self._record is not None:
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"at": time.time(), "status": status, "inputs": inputs}) + "\n")

    def _body(self, request: Mapping[str, object], inputs: Sequence[str], fault: Fault) -> bytes:
        if fault.status != 200:
            message = {"message": f"scripted {fault.status}", "type": "stub", "param": None, "code": None}
            return json.dumps({"error": message}).encode()
        asked = request.get("dimensions")
        dims = fault.dims or (asked if isinstance(asked, int) else self.dims)
        as_text = request.get("encoding_format") == "base64" and not self.only_floats
        data = []
        for index, text in enumerate(inputs[: len(inputs) - fault.drop]):
            numbers = self.numbers(text, dims) if fault.value is None else [fault.value] * dims
            vector = base64.b64encode(pack(numbers)).decode() if as_text else numbers
            data.append({"object": "embedding", "index": index, "embedding": vector})
        tokens = sum(len(text.split()) for text in inputs)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json.dumps({"object": "list", "data": data, "model": request.get("model"), "usage": usage}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stub: OpenAIStub

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close the connection without a word of good-bye."""
        self.close_request(request)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.path.endswith("/embeddings"):
            self._send(Fault(status=404), b'{"error": {"message": "no such path"}}')
            return
        fault, body = self.server.stub.answer(json.loads(raw), self.headers.get("Authorization", ""))
        self._send(fault, body)

    def _send(self, fault: Fault, body: bytes) -> None:
        if fault.reset:
            # With this a closed socket sends RST, not the FIN that says that all is well.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        sent = body[: len(body) // 2] if fault.cut or fault.hang_up else body
        self.send_response(fault.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if fault.hang_up else len(sent)))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = fault.hang_up

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """Keep quiet."""


def main() -> None:
    """Run the stub as a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.testing.openai_stub")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--dims", type=int, default=8, help="dimensions of the vectors")
    parser.add_argument("--record", type=Path, help="file to append one JSON line per call to")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time that every call takes")
    given = parser.parse_args()
    OpenAIStub(given.dims, port=given.port, latency=given.latency_ms / 1000, record=given.record).serve()


if __name__ == "__main__":
    main()
