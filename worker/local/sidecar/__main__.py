"""Serve a data directory until SIGTERM: ``python -m worker.local.sidecar --data-dir DIR --port N``."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from worker.local.sidecar.application import build_application
from worker.local.sidecar.store import DataDirectoryError, Store

#: Seconds that requests in flight get to end after SIGTERM.
_GRACE = 2


def main() -> int:
    """Run the server and return the exit status: 0 after a signal, 1 where it could not start."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        api_key = arguments.api_key_file.read_text().strip() if arguments.api_key_file else None
        listener = _listen(arguments.host, arguments.port)
        store = Store(arguments.data_dir)
    except (OSError, DataDirectoryError) as exc:
        print(f"sidecar: {exc}", file=sys.stderr)  # noqa: T201  a command says why it does not start
        return 1
    config = uvicorn.Config(
        build_application(store, api_key), access_log=False, log_level="warning", timeout_graceful_shutdown=_GRACE
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        # A second signal must not cut the flush short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        store.close()
    return 0


def _leave(_signal: int, _frame: FrameType | None) -> None:
    # uvicorn catches the signal while it serves and raises it again once it has stopped; it ends up here.
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), backlog=256)
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else exc.strerror
        raise OSError(f"cannot listen on {host}:{port}: {reason}; choose another --port") from exc
    # Accepted sockets inherit it. asyncio sets it only on sockets that name their protocol, and without it every
    # answer on a connection in reuse waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.local.sidecar", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="directory that holds all collections")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--api-key-file", type=Path, help="file that holds the key which callers must send")
    return parser


if __name__ == "__main__":
    sys.exit(main())
