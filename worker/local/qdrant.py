"""Say how the vector index is run here: a real Qdrant where there is one, else the sidecar over its engine.

Their files are not compatible, so each has a directory of its own. Changing from one to the other shows an empty
index, which reconciliation fills again from the ledger.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from worker.local.errors import StackError
from worker.local.ports import LOOPBACK
from worker.local.specs import ChildSpec, Probe, ProbeKind
from worker.local.state import Home

NAME = "qdrant"
#: The port that only a real server opens.
GRPC = "qdrant-grpc"

#: A flush of what is in memory comes before the end (seconds).
_GRACE_SECONDS = 20.0


def find_binary(environ: Mapping[str, str]) -> str | None:
    """Return the real server's program if the operator has one: QDRANT_BIN, else `qdrant` on PATH.

    Raises:
        StackError: QDRANT_BIN names nothing that can be run.
    """
    if named := environ.get("QDRANT_BIN"):
        if found := shutil.which(named, path=environ.get("PATH")):
            return str(Path(found).absolute())
        raise StackError(f"QDRANT_BIN={named} cannot be run: correct the path, or unset it to use the built-in index.")
    found = shutil.which("qdrant", path=environ.get("PATH"))
    return str(Path(found).absolute()) if found else None


def url(port: int) -> str:
    """Return the QDRANT_URL of the local index."""
    return f"http://{LOOPBACK}:{port}"


def spec(home: Home, ports: Mapping[str, int], binary: str | None) -> ChildSpec:
    """Return what to run, and write the files that it reads."""
    directory = home.path / NAME
    directory.mkdir(mode=0o700, exist_ok=True)
    program = _server(home, directory, ports, binary) if binary else _sidecar(home, directory, ports[NAME])
    argv, env = program
    return ChildSpec(
        name=NAME,
        argv=argv,
        env=env,
        probe=Probe(ProbeKind.HTTP, port=ports[NAME], text="/readyz"),
        url=url(ports[NAME]),
        grace_seconds=_GRACE_SECONDS,
        # The sidecar is a module of ours and needs the checkout's root; a server writes into its working directory.
        cwd=str(directory) if binary else "",
    )


def _server(
    home: Home, directory: Path, ports: Mapping[str, int], binary: str
) -> tuple[tuple[str, ...], dict[str, str]]:
    return (binary,), {
        "QDRANT__SERVICE__HOST": LOOPBACK,
        "QDRANT__SERVICE__HTTP_PORT": str(ports[NAME]),
        "QDRANT__SERVICE__GRPC_PORT": str(ports[GRPC]),
        "QDRANT__SERVICE__API_KEY": home.secret(NAME),
        "QDRANT__STORAGE__STORAGE_PATH": str(directory / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(directory / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
    }


def _sidecar(home: Home, directory: Path, port: int) -> tuple[tuple[str, ...], dict[str, str]]:
    key = directory / "api-key"
    key.touch(mode=0o600)
    key.write_text(home.secret(NAME))
    module = (sys.executable, "-m", "worker.local.sidecar", "--data-dir", str(directory / "edge"))
    return (*module, "--host", LOOPBACK, "--port", str(port), "--api-key-file", str(key)), {}
