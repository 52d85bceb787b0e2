"""Start a server program for a contract test, and end it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest


@dataclass
class Running:
    """A server process of a test, and how to reach it."""

    process: subprocess.Popen[bytes]
    url: str
    errors: Path

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


def launch(argv: list[str], port: int, errors: Path, **options: object) -> Running:
    """Start a server and wait until it is ready."""
    with errors.open("ab") as stderr:
        process = subprocess.Popen(argv, stdout=stderr, stderr=stderr, **options)
    running = Running(process, f"http://127.0.0.1:{port}", errors)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{running.url}/readyz").status_code == 200:
                return running
        except httpx.TransportError:
            time.sleep(0.02)
    process.kill()
    process.wait()
    pytest.fail(f"{argv[0]} did not start: {errors.read_text()}")


def sidecar_argv(data: Path, port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "worker.local.sidecar", "--data-dir", str(data), "--port", str(port), *more]


def index_backends() -> list[str]:
    """Return what the index contract runs on here: the fake and our sidecar, and real servers that are given."""
    given = {"qdrant": "QDRANT_BIN", "server": "QDRANT_TEST_URL"}
    return ["fake", "sidecar", *(name for name, variable in given.items() if os.environ.get(variable))]
