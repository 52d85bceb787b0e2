"""What a stack keeps on disk: who runs, on which ports, with which secrets; and the lock that tells whether it runs.

::

    HOME/                  0700; all files below are for the owner alone
    ├── supervisor.lock    held (flock) from before the supervisor starts until it is gone: the only truth about that
    ├── stack.json         written by the supervisor: its processes, their states, the services' addresses
    ├── ports.json         ports of the last start, used again where they are free
    ├── secrets.json       generated passwords; they belong to the data and stay as long as it does
    ├── logs/NAME.log      what a process wrote; NAME.log.1 is the older part
    └── postgres/ redis/ qdrant/   data

Files are replaced by rename, so a reader sees an old one or a new one, never a half.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.local.errors import StackError
from worker.local.lifecycle import ChildState, Phase
from worker.local.processes import Process, boot_id, is_alive

#: Entropy of a generated password (bytes).
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class ChildRecord:
    """A process as stack.json shows it. ``started``: clock ticks since boot; ``url`` has no password in it."""

    name: str
    state: ChildState
    pid: int | None
    started: int
    url: str
    restarts: int
    message: str
    log: str
    stop_signal: int
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class StackRecord:
    """The content of stack.json. ``revivals`` grows whenever failed processes are tried again on request."""

    phase: Phase
    boot: str
    pid: int
    started: int
    revivals: int
    services_only: bool
    environment: dict[str, str]
    children: tuple[ChildRecord, ...]

    @property
    def is_current(self) -> bool:
        """Whether the supervisor that wrote this is alive."""
        return self.boot == boot_id() and is_alive(Process(self.pid, self.started))


@dataclass(frozen=True, slots=True)
class Home:
    """A stack's state directory. ``path`` is absolute."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """Return the home at this path, which need not exist."""
        return cls(path.expanduser().resolve())

    @property
    def stack_id(self) -> str:
        """The mark on this stack's processes: derived, so that leftovers are known even when every file is lost."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:32]

    @property
    def lock(self) -> Path:
        """The lock file; its content means nothing."""
        return self.path / "supervisor.lock"

    @property
    def stack(self) -> Path:
        """What the supervisor publishes."""
        return self.path / "stack.json"

    @property
    def logs(self) -> Path:
        """The directory of log files."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Create the directory, or make sure that an existing one is ours alone.

        Raises:
            StackError: It belongs to somebody else, holds foreign files that others may read, or cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim()
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as exc:
            raise StackError(f"{exc}: choose a directory that you may write to with MOBIUS_HOME.") from exc

    def _claim(self) -> None:
        found = self.path.stat()
        if found.st_uid != os.geteuid():
            raise StackError(
                f"{self.path} belongs to user id {found.st_uid}, and you are {os.geteuid()}: run this as that user, or "
                f"choose another directory with MOBIUS_HOME."
            )
        if found.st_mode & 0o077 == 0:
            return
        if any(self.path.iterdir()) and not self.lock.exists():
            raise StackError(
                f"{self.path} holds files that are not the stack's and others may enter it: choose another directory "
                f"with MOBIUS_HOME, or make it yours alone with `chmod 700 {self.path}`."
            )
        self.path.chmod(0o700)

    def try_lock(self) -> int | None:
        """Take the lock; return its file descriptor, or None while somebody else has it.

        Raises:
            StackError: The lock file cannot be opened.
        """
        descriptor = self._open_lock()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def is_locked(self) -> bool:
        """Tell whether a supervisor runs or is being started."""
        try:
            descriptor = self._open_lock(create=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _open_lock(self, *, create: bool = True) -> int:
        try:
            return os.open(self.lock, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
        except PermissionError as exc:
            raise StackError(f"{exc}: run this as the user that owns {self.path}.") from exc

    def write_record(self, record: StackRecord) -> None:
        """Publish what runs."""
        write_json(self.stack, asdict(record))

    def read_record(self) -> StackRecord | None:
        """Return what was published last, by whomever; None if nothing was."""
        raw = read_json(self.stack)
        try:
            children = tuple(ChildRecord(**{**c, "state": ChildState(c["state"])}) for c in raw["children"])
            return StackRecord(**{**raw, "phase": Phase(raw["phase"]), "children": children})
        except (KeyError, TypeError, ValueError):  # absent, damaged, or another version's
            return None

    def ports(self) -> dict[str, int]:
        """Return the ports of the last start."""
        found = read_json(self.path / "ports.json")
        return {name: port for name, port in found.items() if isinstance(port, int) and 0 < port < 65536}

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Keep these ports for the next start, beside those of services that have none this time."""
        write_json(self.path / "ports.json", {**self.ports(), **ports})

    def secret(self, name: str) -> str:
        """Return the generated password of this name: letters, digits, ``-`` and ``_``; made when first asked for."""
        file = self.path / "secrets.json"
        known = read_json(file)
        if not isinstance(known.get(name), str):
            known[name] = secrets.token_urlsafe(_SECRET_BYTES)
            write_json(file, known)
        return str(known[name])


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in this file; empty if there is none or it is damaged.

    Raises:
        StackError: The file is another user's, or where the home should be is something else.
    """
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    except PermissionError as exc:
        raise StackError(f"{exc}: run this as the user that owns {file.parent}.") from exc
    except OSError as exc:
        raise StackError(f"{exc}: choose another directory with MOBIUS_HOME.") from exc
    return found if isinstance(found, dict) else {}


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Replace this file durably; only its owner may read it."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
