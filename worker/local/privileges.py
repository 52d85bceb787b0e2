"""Let root start a server as somebody else who can still reach its files.

PostgreSQL refuses to run as root. Its data directory belongs to an unprivileged user then, but lies below directories
that only root may enter (the state directory is 0700, and so is many a home). Nothing of the operator's is chmod-ed:
the process keeps the one capability that lets it pass such directories, ``CAP_DAC_READ_SEARCH``, or where a container
withholds that one, ``CAP_DAC_OVERRIDE``. It is raised as an *ambient* capability so that it survives exec.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from worker.local.errors import StackError
from worker.local.specs import RunAs

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
#: Least privilege first; the first that works is used. None at all cannot do: the state directory is root's alone.
CANDIDATES = ((CAP_DAC_READ_SEARCH,), (CAP_DAC_OVERRIDE,))

#: The usual uid of ``nobody``, for systems whose user database does not list it.
NOBODY = 65534

_ROOT = Path(__file__).resolve().parents[2]

# From linux/prctl.h and linux/capability.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
# From linux/securebits.h.
_SECBIT_NO_SETUID_FIXUP = 1 << 2

# Looked up before any fork: a child between fork and exec must not search for libraries.
_LIBC = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none gets out of sight.

    Raises:
        OSError: The kernel refuses.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def entry(run_as: RunAs | None, death_signal: int) -> Callable[[], None]:
    """Return what a child runs between fork and exec: become ``run_as``, and get ``death_signal`` if we die.

    It only makes system calls, and its caller has a single thread.
    """
    parent = os.getpid()

    def enter() -> None:
        # The supervisor blocks signals and fetches them; a child must not inherit that.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if run_as is not None:
            become(run_as)
        # After the change of user, which clears it.
        _prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return enter


def become(run_as: RunAs) -> None:
    """Turn this process, which is root's, into somebody else's for good; its capabilities survive exec.

    Raises:
        OSError: It is not allowed to.
    """
    if run_as.capabilities:
        _prctl(_PR_SET_KEEPCAPS, 1)
        # PostgreSQL asks access(2) whether it may run its own programs, and access(2) leaves the capabilities of a
        # user other than root out of account unless this bit is set.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(run_as.gid, run_as.gid, run_as.gid)
    os.setresuid(run_as.uid, run_as.uid, run_as.uid)
    if not run_as.capabilities:
        return
    _set_capabilities(run_as.capabilities)
    for capability in run_as.capabilities:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def server_user(data: Path) -> RunAs | None:
    """Choose who runs a server that refuses root: nobody, or whoever owns ``data`` already. None unless we are root.

    Raises:
        StackError: The user has no entry in the user database, without which initdb refuses to work.
    """
    uid = os.geteuid()
    if uid == 0:
        owner = data.stat().st_uid if data.exists() else 0
        uid = owner or _nobody()
    try:
        entry_of_user = pwd.getpwuid(uid)
    except KeyError:
        raise StackError(
            f"PostgreSQL cannot run as user id {uid}, which has no entry in /etc/passwd: add one, or set DATABASE_URL "
            f"to a server of your own."
        ) from None
    return None if os.geteuid() != 0 else RunAs(uid, entry_of_user.pw_gid)


def with_access(run_as: RunAs, argv: tuple[str, ...], directory: Path) -> RunAs:
    """Return ``run_as`` with the least capabilities under which ``argv`` (a quick command) works in ``directory``.

    It is tried out, for the kernel has the last word: mount options, security modules, containers.

    Raises:
        StackError: It works under none; the message says what to do.
    """
    last = ""
    for capabilities in CANDIDATES:
        candidate = RunAs(run_as.uid, run_as.gid, capabilities)
        # In an interpreter of its own: our caller may have threads, and then code between fork and exec may hang.
        me = (sys.executable, "-m", "worker.local.exec_as", json.dumps(asdict(candidate)), str(directory))
        done = subprocess.run((*me, *argv), check=False, capture_output=True, text=True, cwd=_ROOT)
        if done.returncode == 0:
            return candidate
        last = done.stderr.strip().rpartition("\n")[2]
    raise StackError(
        f"PostgreSQL refuses to run as root, and as user id {run_as.uid} it cannot use {argv[0]} and {directory} "
        f"({last}). Do one of these: run the stack as an ordinary user; give the container CAP_SETUID, CAP_SETGID and "
        f"CAP_DAC_OVERRIDE; or set DATABASE_URL to a server of your own."
    )


def decode(text: str) -> RunAs | None:
    """Return the value of which ``text`` is the JSON."""
    raw = json.loads(text)
    return RunAs(raw["uid"], raw["gid"], tuple(raw["capabilities"])) if raw else None


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return NOBODY


def _set_capabilities(capabilities: tuple[int, ...]) -> None:
    """Hold exactly these, inheritable as well: both are what raising an ambient capability asks for."""
    bits = sum(1 << capability for capability in capabilities)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Two sets of (effective, permitted, inheritable): capabilities 0-31 and 32-63.
    data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if _LIBC.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")


def _prctl(option: int, first: int, second: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    if _LIBC.prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
