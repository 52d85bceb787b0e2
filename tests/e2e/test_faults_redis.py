"""Redis fails in every way it can, while one worker is busy and the other idle; afterwards each still consumes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from harness import arena as arenas
from harness.arena import Arena
from harness.asking import ask
from harness.databases import Databases
from harness.fleet import wait_until
from harness.servers import wipe_redis
from harness.trees import function
from harness.tuning import REDIS_PATIENCE

WORKERS = ("one", "two")
APP = "harness.tuned"
#: Seconds that Redis has for an answer, and for which it is paused: longer than any time-out of those who use it. They
#: are 25 to 30 s as shipped, where a pause of a minute is one of the faults of ``make chaos``; leases and messages that
#: nobody took run out within it here as there.
PATIENCE, PAUSE = 2, 5.0
#: Seconds that a busy worker waits for the provider.
BUSY = 1.0


def restarted(arena: Arena) -> None:
    arena.redis.kill()
    arena.redis.start()


def told_to_end(arena: Arena) -> None:
    arena.redis.restart()


def flushed(arena: Arena) -> None:
    arena.redis.client.flushall()


def wiped(arena: Arena) -> None:
    arena.redis.kill()
    wipe_redis(arena.redis.log.parent)
    arena.redis.start()


def paused(arena: Arena) -> None:
    arena.redis.kill(signal.SIGSTOP)
    time.sleep(PAUSE)
    arena.redis.kill(signal.SIGCONT)


def cut_off(arena: Arena) -> None:
    arena.redis.client.client_kill_filter(_type="normal", skipme=True)


FAULTS: dict[str, Callable[[Arena], None]] = {
    "killed": restarted,
    "told to end": told_to_end,
    "flushed": flushed,
    "wiped": wiped,
    "paused": paused,
    "connections cut": cut_off,
}


@pytest.fixture(scope="module")
def arena(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Two workers and a dispatcher."""
    with arenas.opened(services, databases, tmp_path_factory.mktemp("redis")) as made:
        made.env[REDIS_PATIENCE] = str(PATIENCE)
        made.fleet.start("dispatcher", [APP])
        for name in WORKERS:
            made.fleet.worker(name, app=APP)
        yield made


def batch(name: str, count: int = 5) -> dict[str, str]:
    return {f"{name}_{number}.py": function(f"{name}_{number}", 3) for number in range(count)}


def consumed(arena: Arena) -> list[int]:
    """Return how many stages each worker has finished."""
    members = [member for member in arena.fleet.members if member.name in WORKERS]
    return [len(member.records("stage_finished")) for member in members]


def holders(arena: Arena) -> list[str]:
    """Return which processes wait for the provider."""
    rows = arena.reader().rows("SELECT worker FROM slices WHERE stage = 'embed' AND state = 'running'")
    return [row["worker"] for row in rows]


@pytest.mark.parametrize("fault", FAULTS)
def test_redis_fails_and_every_worker_idle_or_busy_consumes_again(arena: Arena, fault: str) -> None:
    name = fault.replace(" ", "_")
    arena.provider.latency = BUSY
    arena.accept(batch(name, 1))
    wait_until(lambda: bool(holders(arena)), "one worker waits for the provider; there is nothing for the other")
    assert len(holders(arena)) == 1
    FAULTS[fault](arena)
    arena.wait_until_done()

    arena.provider.latency, before = 0.0, consumed(arena)
    for attempt in range(20):  # a worker that is still reconnecting may miss the first
        arena.accept_each(batch(f"{name}_after_{attempt}"))
        arena.wait_until_done()
        if all(later > earlier for earlier, later in zip(before, consumed(arena), strict=True)):
            break
    else:
        pytest.fail(f"a worker takes no messages any more: {before}, then {consumed(arena)}")
    assert all(member.is_alive for member in arena.fleet.members)
    assert arena.violations() == []
    assert arena.bought_again() == 0
    hits = ask(arena.env, arena.bench.engine, arena.bench.source.scope, name)
    assert {hit.path for hit in hits} >= arena.files.keys()
