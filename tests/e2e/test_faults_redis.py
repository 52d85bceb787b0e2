"""Redis fails in every way it can, while workers are idle and while they are busy; afterwards each still consumes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from harness import arena as arenas
from harness.arena import Arena
from harness.databases import Databases
from harness.fleet import wait_until
from harness.servers import wipe_redis
from harness.trees import function

WORKERS = ("one", "two")


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
    time.sleep(2.0)
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
        made.provider.latency = 0.2
        made.fleet.dispatcher()
        for name in WORKERS:
            made.fleet.worker(name)
        yield made


def batch(name: str, count: int = 5) -> dict[str, str]:
    return {f"{name}_{number}.py": function(f"{name}_{number}", 3) for number in range(count)}


def consumed(arena: Arena) -> list[int]:
    """Return how many stages each worker has finished."""
    members = [member for member in arena.fleet.members if member.name in WORKERS]
    return [len(member.records("stage_finished")) for member in members]


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("fault", FAULTS)
def test_redis_fails_and_every_worker_consumes_again(arena: Arena, fault: str, is_busy: bool) -> None:
    name = f"{fault.replace(' ', '_')}_{'busy' if is_busy else 'idle'}"
    if is_busy:
        arena.accept_each(batch(name))
        embedding = "SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'"
        wait_until(lambda: bool(arena.reader().rows(embedding)), "a worker waits for the provider")
    FAULTS[fault](arena)
    arena.wait_until_done()

    before = consumed(arena)
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
