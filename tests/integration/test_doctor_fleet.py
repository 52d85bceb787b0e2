"""What mobius doctor sees of processes that run: Flower, open or closed, and workers on some of the queues."""

from __future__ import annotations

import httpx
import pytest
from harness.fleet import Fleet, wait_until
from harness.servers import RedisServer, free_port

from tasks.queues import CPU_QUEUES
from worker.doctor import flower
from worker.doctor.findings import Silence, Status
from worker.doctor.fleet import WorkersSeen, judge_workers
from worker.doctor.flower import Api, FlowerSeen
from worker.doctor.probes import flower as look_flower
from worker.doctor.probes import workers as look_workers
from worker.settings import load_settings

# --- Flower

AUTH = {"FLOWER_BASIC_AUTH": "mobius:flower-word"}
UNAUTHENTICATED_API = {"FLOWER_UNAUTHENTICATED_API": "true"}


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthcheck", trust_env=False).is_success
    except httpx.TransportError:
        return False


def start_flower(fleet: Fleet, *options: str, **env: str) -> str:
    port = free_port()
    fleet.start("flower", ["celery", "-A", "worker.app", "flower", f"--port={port}", *options], **env)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_healthy(url), "Flower answers")
    return url


@pytest.mark.parametrize(
    ("options", "env", "expected", "status"),
    [
        (["--address=127.0.0.1"], AUTH, (True, Api.CLOSED, False), Status.OK),
        (["--address=0.0.0.0"], AUTH, (True, Api.CLOSED, True), Status.WARNING),
        (["--address=127.0.0.1"], {}, (False, Api.CLOSED, False), Status.PROBLEM),
        (["--address=127.0.0.1"], UNAUTHENTICATED_API, (False, Api.OPEN, False), Status.PROBLEM),
        (["--address=127.0.0.1", "--read-only"], UNAUTHENTICATED_API, (False, Api.READ_ONLY, False), Status.PROBLEM),
    ],
    ids=["closed", "closed, beyond loopback", "open", "open with its API", "open to read"],
)
def test_flowers_exposure_is_seen_from_outside(
    options: list[str], env: dict[str, str], expected: tuple[bool, Api, bool], status: Status, fleet: Fleet
) -> None:
    seen = look_flower.look(start_flower(fleet, *options, **env))
    assert isinstance(seen, FlowerSeen)
    assert (seen.asks_login, seen.api, seen.is_exposed) == expected
    assert flower.judge(seen).status is status


def test_a_password_in_the_address_is_neither_used_nor_shown(fleet: Fleet) -> None:
    url = start_flower(fleet, "--address=127.0.0.1", **AUTH)
    seen = look_flower.look(url.replace("http://", "http://mobius:flower-word@"))
    assert isinstance(seen, FlowerSeen)
    assert seen.asks_login
    assert "flower-word" not in flower.judge(seen).found


def test_a_flower_that_does_not_answer_is_a_problem(closed_port: int) -> None:
    finding = flower.judge(look_flower.look(f"http://u:flower-word@127.0.0.1:{closed_port}"))
    assert finding.status is Status.PROBLEM
    assert "flower-word" not in finding.found


# --- workers


def test_nobody_answers_where_nobody_works(redis_server: RedisServer) -> None:
    assert look_workers.look(load_settings({"REDIS_URL": redis_server.url})) == WorkersSeen({}, 0)


def test_a_worker_answers_with_its_queues_and_its_processes(fleet: Fleet, redis_server: RedisServer) -> None:
    fleet.worker("some", queues=",".join(CPU_QUEUES), processes=3)
    seen = look_workers.look(load_settings({"REDIS_URL": redis_server.url}))
    assert seen == WorkersSeen({"some@test": frozenset(CPU_QUEUES)}, 3)
    finding = judge_workers(seen, {*CPU_QUEUES, "embed"})
    assert (finding.status, "consumes embed" in finding.found) == (Status.PROBLEM, True)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}", "http://nonsense"])
def test_without_redis_nobody_is_asked(url: str, closed_port: int) -> None:
    seen = look_workers.look(load_settings({"REDIS_URL": url.format(port=closed_port)}))
    assert seen == Silence("see redis", "")
