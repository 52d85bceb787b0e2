"""A vector index of a test's own, which it may kill and whose data it may put back to what they were."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.members import ROOT
from harness.programs import Running, launch, sidecar_argv
from harness.servers import free_port


class IndexServer:
    """The engine's server on one port with one data directory; it is not started yet."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._data = directory / "data"
        self._kept = directory / "kept"
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """Where it is, also while it is down."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        argv = sidecar_argv(self._data, self.port)
        self._running = launch(argv, self.port, self._directory / "log", cwd=ROOT)

    def kill(self) -> None:
        """End it without letting it write anything."""
        assert self._running is not None
        self._running.process.kill()
        self._running.process.wait()

    def end(self) -> None:
        """Ask it to end."""
        assert self._running is not None
        self._running.stop()

    def keep(self) -> None:
        """Remember what it holds now."""
        self.kill()
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self._data, self._kept)
        self.start()

    def lose_what_came_since(self) -> None:
        """Kill it, and start it with what it held when it was kept."""
        self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(self._kept, self._data)
        self.start()
