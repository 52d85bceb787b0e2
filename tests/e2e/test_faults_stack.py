"""The local stack's own members are killed while a run is in flight; the run does not notice, and they are back.

The processes are those of `mobius up`, under its supervisor; the services are the session's.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import httpx
import pytest
from harness import arena as arenas
from harness.api import bearer
from harness.arena import Arena
from harness.asking import ask
from harness.databases import Databases
from harness.fleet import wait_until
from harness.supervised import Stack, supervised
from harness.trees import function

#: Those that no slice waits for.
BYSTANDERS = ("dispatcher", "beat", "flower", "api")


@pytest.fixture(scope="module")
def stack(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with arenas.opened(services, databases, tmp_path_factory.mktemp("supervised")) as arena, supervised(arena) as made:
        yield made


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """A key of the tenant of an arena."""
    made = stack.arena.fleet.mobius("keys", "create", "--tenant", "tenant", "--name", "test", "--json")
    return str(json.loads(made.stdout)["key"])


def judge(arena: Arena, words: str) -> None:
    """Check ledger, index and search."""
    assert arena.violations() == []
    hits = ask(arena.env, arena.bench.engine, arena.bench.source.scope, words)
    assert {hit.path for hit in hits} == arena.files.keys()


def test_dispatcher_beat_flower_and_api_are_killed_and_back_and_no_run_notices(stack: Stack, key: str) -> None:
    arena, before = stack.arena, stack.pids()
    arena.provider.latency = 1.0
    stack.accept_and_wait_until_busy("noticed.py", function("noticed", 2))
    for name in BYSTANDERS:
        os.killpg(before[name], signal.SIGKILL)
    arena.wait_until_done()
    wait_until(lambda: stack.changed(before) >= {*BYSTANDERS}, "all are back", seconds=120)
    assert stack.changed(before) == {*BYSTANDERS}, "nobody else was restarted"
    arena.accept({"later.py": function("later", 2)})
    arena.wait_until_done()
    judge(arena, "noticed later")
    assert arena.bought_again("noticed") == 0
    reply = httpx.get(f"http://127.0.0.1:{stack.api}/api/v1/runs", headers=bearer(key), timeout=30)
    assert {run["state"] for run in reply.raise_for_status().json()["items"]} == {"succeeded"}
    httpx.get(f"http://127.0.0.1:{stack.flower}/healthcheck", timeout=30).raise_for_status()


def test_a_killed_supervisor_takes_all_along_and_the_next_stack_finishes_the_run(stack: Stack) -> None:
    arena, before = stack.arena, stack.pids()
    arena.provider.latency = 3.0
    stack.accept_and_wait_until_busy("orphaned.py", function("orphaned", 2))
    os.kill(stack.supervisor(), signal.SIGKILL)
    wait_until(lambda: not stack.is_running, "the supervisor is gone")
    arena.provider.latency = 0.0
    stack.up()
    assert stack.changed(before) == before.keys()
    arena.wait_until_done()
    judge(arena, "orphaned")
    assert arena.bought_again("orphaned") <= 1, "the call in flight is lost with its worker"
