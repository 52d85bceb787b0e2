"""Eight processes on one budget get all of it together, never more, and nothing for an emptied Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import redis
from harness.budget_hammer import MODEL
from harness.fleet import ROOT, wait_until
from harness.servers import RedisServer

from pipeline.budget import MICROSECONDS, STAGE_PATIENCE, ProviderBudget
from worker.adapters.limiter import RedisLimiter

PROCESSES = 8
PER_MINUTE = 6_000
#: Microseconds from one call to the next.
COST = ProviderBudget(PER_MINUTE).cost(1).requests


def hammer(server: RedisServer) -> list[subprocess.Popen[str]]:
    """Start the processes; they stand ready when this returns."""
    argv = [sys.executable, "-m", "harness.budget_hammer", server.url, str(PER_MINUTE), str(STAGE_PATIENCE)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    started = [subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    wait_until(lambda: int(server.client.get("hammer:ready") or 0) == PROCESSES, "all processes are ready")
    return started


@dataclass(frozen=True)
class Score:
    """What each process got, and what the budget allows: turns are reserved a patience ahead, from first to last."""

    granted: list[int]
    least: float
    most: float


def end(client: redis.Redis, processes: list[subprocess.Popen[str]]) -> Score:
    client.set("hammer:stop", 1)
    said = [map(int, process.communicate(timeout=60)[0].split()) for process in processes]
    granted, first, before, after = zip(*said, strict=True)
    ahead = STAGE_PATIENCE * MICROSECONDS
    return Score(list(granted), (max(before) - min(first) + ahead) / COST, (max(after) - min(first) + ahead) / COST)


def test_eight_processes_get_the_whole_budget_and_no_more(redis_server: RedisServer) -> None:
    limiter = RedisLimiter(ProviderBudget(PER_MINUTE), redis_server.url, MODEL)
    time.sleep(limiter.acquire(1, 60.0))  # the past is known now, and has used nothing
    limiter.close()
    processes = hammer(redis_server)
    redis_server.client.set("hammer:go", 1)
    time.sleep(6.0)
    score = end(redis_server.client, processes)
    assert 0.99 * score.least <= sum(score.granted) <= 1.01 * score.most
    assert all(score.granted), "nobody goes without"


def test_an_emptied_redis_grants_no_second_budget(redis_server: RedisServer) -> None:
    client = redis_server.client
    processes = hammer(redis_server)
    client.set("hammer:go", 1)
    for _ in range(4):
        time.sleep(1.0)
        client.flushall()
        client.set("hammer:go", 1)
    score = end(client, processes)
    assert 0 < sum(score.granted) <= 1.01 * score.most
