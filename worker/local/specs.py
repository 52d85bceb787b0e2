"""What the supervisor must know of a process to start it, see that it is ready, and end it: the process table is data.

A launch travels as JSON from the CLI to the supervisor, through a pipe: it holds passwords and never touches a disk.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from worker.local.errors import StackError


class ProbeKind(StrEnum):
    """How to see that a process is ready. Every kind but ALIVE and LOG asks the server itself."""

    ALIVE = "alive"  #: it has lived for ``seconds``
    LOG = "log"  #: its log says ``text``; at the latest it has lived for ``seconds``
    HTTP = "http"  #: GET ``text`` on ``port`` answers 2xx
    POSTGRES = "postgres"  #: the server on ``port`` lets user ``text`` begin to log in
    REDIS = "redis"  #: the server on ``port`` answers PING with the password ``text``


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to a process. Servers are asked on loopback."""

    kind: ProbeKind
    port: int = 0
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunAs:
    """Whom root turns into before it starts a process, and the capabilities that process keeps."""

    uid: int
    gid: int
    capabilities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process of the stack.

    ``depends_on`` names what must be ready before it starts and must outlive it when the stack ends. ``env`` comes on
    top of the operator's environment, or replaces it where ``bare``: a server then sees none of the operator's
    variables. ``cwd`` is the checkout's root unless it is set.
    """

    name: str
    argv: tuple[str, ...]
    probe: Probe
    env: Mapping[str, str] = field(default_factory=dict)
    one_shot: bool = False
    depends_on: tuple[str, ...] = ()
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 10.0
    cwd: str = ""
    url: str = ""
    bare: bool = False
    run_as: RunAs | None = None


@dataclass(frozen=True, slots=True)
class External:
    """A service that the operator runs; ``url`` is theirs, with its password."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a supervisor is told: the process table and the addresses that every child is given."""

    table: tuple[ChildSpec, ...]
    environment: Mapping[str, str]
    externals: tuple[External, ...] = ()
    services_only: bool = False


def encode(launch: Launch) -> str:
    """Return the launch as JSON."""
    return json.dumps(asdict(launch))


def decode(text: str) -> Launch:
    """Return the launch that ``encode`` wrote."""
    raw = json.loads(text)
    return Launch(
        table=tuple(_spec(entry) for entry in raw["table"]),
        environment=raw["environment"],
        externals=tuple(External(**entry) for entry in raw["externals"]),
        services_only=raw["services_only"],
    )


def check_table(table: Iterable[ChildSpec], known: Iterable[str]) -> None:
    """Refuse a table that cannot be started: twice the same name, or a dependency that stands nowhere before it.

    Raises:
        StackError: The table is not in an order in which it can start. ``known`` are names of external services.
    """
    before = set(known)
    for spec in table:
        if spec.name in before:
            raise StackError(f"Two processes of the local stack are called {spec.name}; rename one.")
        if missing := sorted(set(spec.depends_on) - before):
            raise StackError(f"{spec.name} depends on {', '.join(missing)}, which no process before it provides.")
        before.add(spec.name)


def _spec(raw: dict[str, object]) -> ChildSpec:
    values = dict(raw)
    probe, run_as = values.pop("probe"), values.pop("run_as")
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return ChildSpec(**{**values, **lists}, probe=_probe(probe), run_as=_run_as(run_as))  # type: ignore[arg-type]  # JSON of our own making


def _probe(raw: object) -> Probe:
    values = dict(raw)  # type: ignore[call-overload]  # as above
    return Probe(**{**values, "kind": ProbeKind(values["kind"])})


def _run_as(raw: object) -> RunAs | None:
    if raw is None:
        return None
    values = dict(raw)  # type: ignore[call-overload]  # as above
    return RunAs(**{**values, "capabilities": tuple(values["capabilities"])})
