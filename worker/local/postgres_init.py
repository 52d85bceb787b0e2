"""Make a PostgreSQL data directory, completely or not at all.

It is built under another name and renamed when it is finished and on disk, so whatever dies on the way, ``data`` is
either absent or whole. One that carries our marker is never touched; one without it (not of our making) is moved
aside, not deleted. Runs as the supervisor's first one-shot process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from worker.local import privileges
from worker.local.postgres import MARKER, NAME, OWNER, data_directory
from worker.local.specs import RunAs
from worker.local.state import Home

#: Only loopback, only with the password.
_HBA = f"host all {OWNER} 127.0.0.1/32 scram-sha-256\n"


def main(home: str, programs: str, run_as: str) -> None:
    """Bring the data directory of the stack at ``home`` into being, or make sure that it takes our password.

    Raises:
        OSError: The disk refuses.
        subprocess.SubprocessError: A program of PostgreSQL's failed; what it said is in the log.
    """
    where = Home.at(Path(home))
    data = data_directory(where)
    cluster = _Cluster(Path(programs), privileges.decode(run_as), where.secret(NAME))
    if not (data / MARKER).exists():
        _move_aside(data)
        cluster.build(data)
    elif (data / MARKER).read_text() != cluster.fingerprint:
        # The file with the password was lost, and a new one made.
        cluster.set_password(data)
        cluster.mark(data)


class _Cluster:
    """The programs that make a data directory, as the user who will own it."""

    def __init__(self, programs: Path, run_as: RunAs | None, password: str) -> None:
        self._programs = programs
        self._run_as = run_as
        self._password = password

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self._password.encode()).hexdigest()

    def build(self, data: Path) -> None:
        """Build the cluster beside its final place and move it there."""
        building = data.with_name("data.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        self._give_away(building)
        # The built-in locale provider depends on no locale of the system, and initialises in a fraction of the time.
        locale = ("--no-locale", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._run("initdb", "-D", str(building), "-U", OWNER, "-A", "trust", "--no-sync", "--no-instructions", *locale)
        (building / "pg_hba.conf").write_text(_HBA)
        # Unsynced as well: all of it goes to disk in one go before it counts.
        self._single_user(building, f"CREATE DATABASE {OWNER}", self._password_statement(), fsync="off")
        self.mark(building)
        self._run("initdb", "-D", str(building), "--sync-only")
        building.rename(data)
        _sync_directory(data.parent)

    def set_password(self, data: Path) -> None:
        """Give the role our password. The server must not run."""
        self._single_user(data, self._password_statement())

    def mark(self, data: Path) -> None:
        """Say that the cluster is complete and which password it takes."""
        marker = data / MARKER
        marker.write_text(self.fingerprint)
        self._give_away(marker)

    def _password_statement(self) -> str:
        """Return the statement that sets our password. Generated ones need no quoting."""
        return f"ALTER ROLE {OWNER} PASSWORD '{self._password}'"

    def _single_user(self, data: Path, *statements: str, fsync: str = "on") -> None:
        # On standard input, for arguments are visible to everyone. It exits with 0 after errors unless told otherwise.
        settings = ("-c", "exit_on_error=on", "-c", "log_statement=none", "-c", f"fsync={fsync}")
        said = "".join(f"{statement}\n" for statement in statements)
        self._run("postgres", "--single", "-D", str(data), *settings, "postgres", said=said)

    def _give_away(self, path: Path) -> None:
        if self._run_as is not None:
            os.chown(path, self._run_as.uid, self._run_as.gid)

    def _run(self, program: str, *arguments: str, said: str = "") -> None:
        subprocess.run(
            (str(self._programs / program), *arguments),
            check=True,
            input=said,
            text=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **_marks()},
            preexec_fn=privileges.entry(self._run_as, signal.SIGKILL),  # there are no threads here
        )


def _move_aside(data: Path) -> None:
    if not data.exists():
        return
    number = 1
    while (aside := data.with_name(f"data.aside-{number}")).exists():
        number += 1
    data.rename(aside)
    sys.stderr.write(f"{data} is incomplete or not of our making: moved to {aside}, and a new one is made.\n")


def _marks() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MOBIUS_STACK_")}


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
