"""An embeddings endpoint that costs next to nothing: ready-made vectors after a set latency, in its own process.

The vector of a text is one of a fixed number of random unit vectors, chosen by the text's checksum: the same text
always gets the same one, whoever asks. It serves any number of calls at once, and ends when its standard input does,
so it cannot outlive the benchmark::

    python -m benchmarks.provider --latency-ms 50

prints its base URL as its first line.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

#: Different vectors that there are.
_VECTORS = 1024


class Answers:
    """Ready-made answers with vectors of ``dims`` numbers."""

    def __init__(self, dims: int) -> None:
        numbers = np.random.default_rng(1).standard_normal((_VECTORS, dims)).astype("<f4")
        numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
        self._encoded = [base64.b64encode(row.tobytes()) for row in numbers]

    def body(self, inputs: Sequence[str]) -> bytes:
        """Return the body of the answer to a call."""
        items = [
            b'{"object":"embedding","index":%d,"embedding":"%s"}'
            % (index, self._encoded[zlib.crc32(text.encode()) % _VECTORS])
            for index, text in enumerate(inputs)
        ]
        tokens = sum(map(len, inputs)) // 4
        usage = b'{"prompt_tokens":%d,"total_tokens":%d}' % (tokens, tokens)
        return b'{"object":"list","model":"stub","usage":%s,"data":[%s]}' % (usage, b",".join(items))


class _Provider(ThreadingHTTPServer):
    """The server. ``latency``: seconds that every call takes."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: Answers, latency: float) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.answers = answers
        self.latency = latency


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Provider

    def do_POST(self) -> None:
        began = time.monotonic()
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = self.server.answers.body(request["input"])
        time.sleep(max(0.0, self.server.latency - (time.monotonic() - began)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """Keep quiet."""


@contextmanager
def running_provider(latency_ms: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the provider's stand-in as a process of its own; it ends with the block, or with us."""
    argv = [sys.executable, "-m", "benchmarks.provider", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            if process.stdout is None or not (url := process.stdout.readline().strip()):
                raise SystemExit("benchmarks: the provider's stand-in does not start; what it says stands above.")
            yield url, process
        finally:
            process.kill()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider")
    parser.add_argument("--dims", type=int, default=1536)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    given = parser.parse_args()
    server = _Provider(Answers(given.dims), given.latency_ms / 1000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
