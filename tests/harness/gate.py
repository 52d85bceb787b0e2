"""A TCP proxy that lets a test stop time at one moment: it holds a connection when a chosen request passes.

The processes under test are the real ones; only the wire between two of them has a gate.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

_BLOCK = 65_536


class Gate:
    """Forwards every byte to ``target`` (host, port). ``hold_when`` sees what a client sends, block by block."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._hold_when: Callable[[bytes], bool] = lambda _: False
        self._open = threading.Event()
        self._open.set()
        self.reached = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def before(cls, url: str, default_port: int) -> Self:
        """Return a gate before the service of a URL."""
        parts = urlsplit(url)
        return cls((parts.hostname or "127.0.0.1", parts.port or default_port))

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self._listener.getsockname()[1])

    def url_for(self, url: str) -> str:
        """Return the service's URL with the gate's address in it."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        return parts._replace(netloc=netloc).geturl()

    def hold(self, when: Callable[[bytes], bool]) -> None:
        """From now on hold the first connection that sends a matching block, and everything after it."""
        self._hold_when = when
        self.reached.clear()
        self._open.clear()

    def release(self) -> None:
        """Let everything pass again, what was held included."""
        self._hold_when = lambda _: False
        self._open.set()

    def close(self) -> None:
        """Stop accepting; held connections pass."""
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        try:
            while block := source.recv(_BLOCK):
                if is_request and not self._open.is_set() and self._hold_when(block):
                    self.reached.set()
                    self._open.wait()
                sink.sendall(block)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            # Each socket is the source of exactly one of the two threads, so each is closed once.
            source.close()
