"""The kinds of fault, each a context manager over the stack: it strikes on entry and has healed on exit.

What dies is started again by the stack's own supervisor; only a dead supervisor needs an operator's ``mobius up``.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import redis
from chaos.acts import holds_within, signal_one
from chaos.crew import CPU_WORKERS, IO_WORKERS, WORKERS
from chaos.losses import connections_used_up, fill_disk, qdrant_loses_its_last_second, redis_wiped
from chaos.provider import FAULTS
from chaos.stack import IN_THE_WAY, Stack
from chaos.wire import Mood
from harness.messages import triple

from pipeline.testing.openai_stub import Fault

QUEUES = ("parse", "chunk", "embed", "upsert")
#: How long it lasts when something is paused or misbehaves (seconds).
LASTING = 5.0
#: A pause that is longer than any time-out of whoever waits (seconds).
LONG = 60.0
#: For a process to be ready again (seconds).
_READY = 60.0

Blow = Callable[[Stack, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. ``loses_calls``: provider calls in flight, or what they bought, may be lost with it.

    ``is_outage``: nothing can go on before it has healed, so recovery is counted from there. ``lasts``: for so long
    the fault stays before it is healed (seconds); 0 where there is nothing to heal.
    """

    name: str
    strike: Blow
    loses_calls: bool = False
    is_outage: bool = False
    lasts: float = 0.0


def _at_once(act: Callable[[Stack, random.Random], object]) -> Blow:
    @contextmanager
    def strike(stack: Stack, rng: random.Random) -> Iterator[None]:
        act(stack, rng)
        yield

    return strike


def _signalled(number: int, *names: str, count: int = 1) -> Blow:
    return _at_once(lambda stack, rng: [stack.send(name, number) for name in rng.sample(names, count)])


def _killed(*names: str, count: int = 1) -> Blow:
    return _signalled(signal.SIGKILL, *names, count=count)


def _victim(stack: Stack, rng: random.Random) -> str:
    """Return a worker that has something in its hands, if there is one."""
    workers = rng.sample(CPU_WORKERS + IO_WORKERS, 4)
    with suppress(*IN_THE_WAY):  # the ledger may be down from an earlier fault
        return stack.busy_worker(workers) or workers[0]
    return workers[0]


def _child_killed(stack: Stack, rng: random.Random) -> None:
    if pool := stack.pool_of(_victim(stack, rng)):
        signal_one(rng.choice(pool), signal.SIGKILL)


def _main_killed(stack: Stack, rng: random.Random) -> None:
    """Kill a worker's main process alone; the kernel ends its pool."""
    if pid := stack.pid(_victim(stack, rng)):
        signal_one(pid, signal.SIGKILL)


def _worker_told_to_end(stack: Stack, rng: random.Random) -> None:
    if pid := stack.pid(_victim(stack, rng)):
        signal_one(pid, signal.SIGTERM)


@contextmanager
def _supervisor_killed(stack: Stack, rng: random.Random) -> Iterator[None]:
    signal_one(stack.supervisor(), signal.SIGKILL)
    yield
    stack.start()


def _paused(name: str) -> Blow:
    @contextmanager
    def strike(stack: Stack, rng: random.Random) -> Iterator[None]:
        stack.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            stack.send(name, signal.SIGCONT)

    return strike


@contextmanager
def _stopped_past_its_lease(stack: Stack, rng: random.Random) -> Iterator[None]:
    name = _victim(stack, rng)
    stack.send(name, signal.SIGSTOP)
    try:
        time.sleep(stack.lease_seconds + LASTING)
        yield
    finally:
        stack.send(name, signal.SIGCONT)


def _rolling_restart(stack: Stack, rng: random.Random) -> None:
    for name in WORKERS:
        if pid := stack.pid(name):
            signal_one(pid, signal.SIGTERM)
            holds_within(lambda name=name, old=pid: stack.pid(name) not in {old, None}, _READY)


def _clients_cut(stack: Stack, rng: random.Random) -> None:
    stack.client.client_kill_filter(_type="normal", skipme=True)


def _messages_tripled(stack: Stack, rng: random.Random) -> None:
    for queue in QUEUES:
        with suppress(redis.ResponseError):  # there was none
            triple(stack, queue)  # its client is all that is asked for


def _backlog_sent_again(stack: Stack, rng: random.Random) -> None:
    """Let every message that waits have waited for too long, so that each is sent again behind itself."""
    stack.execute("UPDATE slices SET dispatched_at = now() - interval '1 h' WHERE state = 'dispatched'")


def _connections_cut(stack: Stack, rng: random.Random) -> None:
    stack.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def _transactions_cut(stack: Stack, rng: random.Random) -> None:
    """Cut only those that are in the middle of a transaction, watching for them for a while."""
    deadline = time.monotonic() + LASTING
    while time.monotonic() < deadline:
        stack.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND application_name = 'mobius-ingest'"
        )
        time.sleep(0.2)


def _wire(mood: Mood) -> Blow:
    @contextmanager
    def strike(stack: Stack, rng: random.Random) -> Iterator[None]:
        stack.wire.mood = mood
        try:
            yield
        finally:
            stack.wire.mood = Mood.GOOD

    return strike


def _provider(fault: Fault) -> Blow:
    @contextmanager
    def strike(stack: Stack, rng: random.Random) -> Iterator[None]:
        stack.provider.mood = fault
        try:
            yield
        finally:
            stack.provider.mood = Fault()

    return strike


_ALL = (
    Kind("worker killed", _at_once(_main_killed), loses_calls=True),
    Kind("pool process killed", _at_once(_child_killed), loses_calls=True),
    Kind("all workers killed", _killed(*WORKERS, count=len(WORKERS)), loses_calls=True),
    Kind("worker stopped past its lease", _stopped_past_its_lease, loses_calls=True),
    Kind("worker told to end", _at_once(_worker_told_to_end), loses_calls=True),
    Kind("rolling restart of the workers", _at_once(_rolling_restart), loses_calls=True),
    Kind("dispatcher killed", _killed("dispatcher", "dispatcher-2")),
    Kind("both dispatchers killed", _killed("dispatcher", "dispatcher-2", count=2)),
    Kind("both beats killed", _killed("beat", "beat-2", count=2)),
    Kind("Flower killed", _killed("flower")),
    Kind("API killed", _killed("api")),
    Kind("supervisor killed", _supervisor_killed, loses_calls=True, is_outage=True, lasts=1.0),
    Kind("Redis killed", _killed("redis")),
    Kind("Redis told to end", _signalled(signal.SIGTERM, "redis")),
    Kind("Redis flushed", _at_once(lambda stack, _: stack.client.flushall())),
    Kind("Redis wiped", _at_once(redis_wiped)),
    Kind("Redis paused", _paused("redis"), is_outage=True, lasts=LASTING),
    Kind("Redis paused for a minute", _paused("redis"), is_outage=True, lasts=LONG),
    Kind("Redis connections cut", _at_once(_clients_cut)),
    Kind("messages three times, shuffled", _at_once(_messages_tripled)),
    Kind("backlog sent again", _at_once(_backlog_sent_again)),
    Kind("messages lost", _at_once(lambda stack, _: stack.client.delete(*QUEUES))),
    Kind("Postgres stopped at once", _signalled(signal.SIGQUIT, "postgres"), loses_calls=True),
    Kind("Postgres killed", _killed("postgres"), loses_calls=True),
    Kind("Postgres paused", _paused("postgres"), loses_calls=True, is_outage=True, lasts=LASTING),
    Kind("Postgres connections cut", _at_once(_connections_cut), loses_calls=True),
    Kind("transactions cut", _at_once(_transactions_cut), loses_calls=True, is_outage=True),
    Kind("Postgres connections used up", connections_used_up, loses_calls=True, is_outage=True, lasts=LASTING),
    Kind("disk full", _at_once(lambda stack, _: fill_disk(stack, LASTING)), is_outage=True, lasts=LASTING),
    Kind("Qdrant killed", _killed("qdrant")),
    Kind("Qdrant told to end", _signalled(signal.SIGTERM, "qdrant")),
    Kind("Qdrant paused", _paused("qdrant"), is_outage=True, lasts=LASTING),
    Kind("Qdrant unreachable", _wire(Mood.DOWN), is_outage=True, lasts=LASTING),
    Kind("Qdrant loses its last second", qdrant_loses_its_last_second, is_outage=True),
    Kind("Qdrant slow", _wire(Mood.SLOW), is_outage=True, lasts=LASTING),
    Kind("Qdrant refuses writes", _wire(Mood.READ_ONLY), is_outage=True, lasts=LASTING),
    *(Kind(f"provider: {name}", _provider(fault), is_outage=True, lasts=LASTING) for name, fault in FAULTS.items()),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
