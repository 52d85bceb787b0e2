"""Faults at the very moments that lose work elsewhere, each made to happen for certain, on pytest-celery's nodes.

Redis and the workers are the nodes of a cluster, which runs as every engine there is. A node of the worker cluster is
started by ``restart`` when its story begins.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from harness.clusters import UPGRADE_GATE, Engine, engines
from harness.fleet import Fleet, wait_until
from harness.gate import Gate
from harness.inspection import Inspection
from harness.members import records_in
from harness.messages import triple
from harness.servers import RedisClient
from harness.trees import function
from pytest_celery import CeleryTestNode, CeleryTestSetup

from pipeline.testing.openai_stub import OpenAIStub

QUEUES = ("parse", "chunk", "embed", "upsert")


@pytest.fixture(params=engines().values(), ids=engines())
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Every engine there is on this machine."""
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def gate_before_qdrant(environment: dict[str, str]) -> Iterator[Gate]:
    gate = Gate.before(environment["QDRANT_URL"], 6333)
    yield gate
    gate.close()


@pytest.fixture
def gate_before_redis(environment: dict[str, str]) -> Iterator[Gate]:
    gate = Gate.before(environment["REDIS_URL"], 6379)
    yield gate
    gate.close()


def ended(inspection: Inspection) -> bool:
    rows = inspection.rows("SELECT 1 FROM run_documents WHERE outcome = 'pending'")
    plans = inspection.rows("SELECT 1 FROM runs WHERE plan_state = 'planning'")
    return not rows and not plans


def records(node: CeleryTestNode, event: str) -> list[dict[str, object]]:
    return records_in(node.logs(), event)


def finished_stages(node: CeleryTestNode) -> list[str]:
    return [str(record["stage"]) for record in records(node, "stage_finished")]


def exited(workers: Iterable[CeleryTestNode]) -> list[str]:
    return [worker.container.name for worker in workers if worker.container.status != "running"]


def told(node: CeleryTestNode) -> int:
    # An empty queue alone does not say that all is done: a message on its way to a worker is in no list of Redis.
    return len(finished_stages(node)) + len(records(node, "stale_message_dropped"))


def stop_while_it_waits(worker: CeleryTestNode, server: RedisClient) -> None:
    """Stop a worker such that its BRPOP stays pending for at least half a second."""
    for _ in range(100):
        worker.kill("SIGSTOP")
        waiting = [client for client in server.client.client_list() if client["cmd"] == "brpop"]
        if any("b" in client["flags"] and int(client["idle"]) == 0 for client in waiting):
            return
        worker.kill("SIGCONT")
        time.sleep(0.05)
    pytest.fail("the worker never waits for a message")


def test_a_message_lost_in_the_pop_window_is_sent_again(
    celery_setup: CeleryTestSetup,
    fleet: Fleet,
    environment: dict[str, str],
    gate_before_redis: Gate,
    redis_server: RedisClient,
    inspection: Inspection,
    tree: Path,
) -> None:
    """The worker's BRPOP is pending when it is stopped: Redis gives it the message and it dies with it."""
    victim, survivor = celery_setup.worker_cluster
    victim.restart()
    gate_before_redis.hold(lambda block: b"LPUSH" in block)
    dispatcher = fleet.dispatcher(REDIS_URL=gate_before_redis.url_for(environment["REDIS_URL"]))
    fleet.mobius("ingest", str(tree), "--no-wait")
    assert gate_before_redis.reached.wait(60), "the message is on its way to Redis"
    stop_while_it_waits(victim, redis_server)
    gate_before_redis.release()
    wait_until(lambda: redis_server.calls("lpush") > 0, "the message was sent")
    assert redis_server.client.llen("parse") == 0, "Redis handed it to the stopped worker"
    assert redis_server.client.hlen("unacked") == 0, "the message is in no list of Redis any more"
    victim.kill()
    survivor.restart()
    wait_until(lambda: ended(inspection), "the slice completes")
    inspection.assert_true_to(tree)
    assert finished_stages(victim) == []
    assert finished_stages(survivor) == list(QUEUES)
    assert any(record["never_started"] for record in dispatcher.records("slices_brought_back"))


def test_a_worker_that_wakes_up_after_a_newer_revision_leaves_no_trace(
    celery_setup: CeleryTestSetup,
    fleet: Fleet,
    environment: dict[str, str],
    gate_before_qdrant: Gate,
    inspection: Inspection,
    tree: Path,
) -> None:
    """It is stopped with its points on the wire, loses its lease, and is woken when the newer revision is done."""
    changed = tree / "package" / "module_0.py"
    sleeper, other = celery_setup.worker_cluster
    sleeper.container.env["QDRANT_URL"] = gate_before_qdrant.url_for(environment["QDRANT_URL"])
    sleeper.restart()
    fleet.dispatcher()
    gate_before_qdrant.hold(lambda block: block.startswith(b"PUT ") and b"/points" in block.split(b"\r\n")[0])
    fleet.mobius("ingest", str(tree), "--no-wait")
    assert gate_before_qdrant.reached.wait(60)
    sleeper.kill("SIGSTOP")

    older = changed.read_text()
    stale_words = "module_0_function_1_3 = 3"
    assert stale_words in older
    changed.write_text(older.replace(stale_words, "replaced_line = 3") + "\n\n" + function("the_newer_revision"))
    other.restart()
    fleet.mobius("ingest", str(tree))
    wait_until(lambda: ended(inspection), "both runs end")
    inspection.assert_true_to(tree)

    sleeper.kill("SIGCONT")
    gate_before_qdrant.release()
    sleeper.assert_log_exists('"claim_lost"', "the sleeper finds its claim gone")
    inspection.assert_true_to(tree)
    hits = json.loads(fleet.mobius("search", "replaced line newer revision", "-k", "1000", "--json").stdout)
    assert any("the_newer_revision" in hit["text"] for hit in hits)
    assert not any(stale_words in hit["text"] for hit in hits)


@pytest.mark.parametrize("workers", [{f"only-{queue}": queue for queue in QUEUES}], ids=["one for each queue"])
def test_messages_that_come_three_times_in_any_order_change_nothing(
    provider: OpenAIStub,
    celery_setup: CeleryTestSetup,
    fleet: Fleet,
    redis_server: RedisClient,
    inspection: Inspection,
    tree: Path,
) -> None:
    """Each stage's queue is filled, tripled and shuffled before the stage's worker starts."""
    fleet.mobius("ingest", str(tree), "--no-wait", MOBIUS_SLICE_DOCUMENTS="2")
    client = redis_server.client
    slices = len(inspection.rows("SELECT id FROM slices"))
    assert slices >= 5
    fleet.dispatcher(MOBIUS_DISPATCH_TIMEOUT_SECONDS="600", MOBIUS_DISPATCH_WINDOW="100")
    for queue, worker in zip(QUEUES, celery_setup.worker_cluster, strict=True):
        wait_until(lambda queue=queue: client.llen(queue) == slices, f"all messages are in {queue}")
        triple(redis_server, queue)
        assert client.llen(queue) == 3 * slices
        worker.restart()
        wait_until(lambda worker=worker: told(worker) >= 3 * slices, f"{queue}'s worker tells of each message")
        wait_until(lambda queue=queue: client.llen(queue) == 0 and client.hlen("unacked") == 0, f"{queue} is empty")
        assert len(finished_stages(worker)) == slices
        assert len(records(worker, "stale_message_dropped")) == 2 * slices
        worker.kill()
    wait_until(lambda: ended(inspection), "the run ends")
    inspection.assert_true_to(tree)
    assert len(provider.inputs()) == len(set(provider.inputs())) == len(inspection.points())


@pytest.mark.parametrize("stage", ["parse", "chunk", "embed"])
def test_a_worker_killed_between_commit_and_next_link_loses_no_stage(
    stage: str,
    celery_setup: CeleryTestSetup,
    fleet: Fleet,
    environment: dict[str, str],
    gate_before_redis: Gate,
    inspection: Inspection,
    tree: Path,
) -> None:
    """The next link is held on its way to Redis; the stage before it is committed; the worker is killed."""
    following = QUEUES[QUEUES.index(stage) + 1]
    victim, survivor = celery_setup.worker_cluster
    victim.container.env["REDIS_URL"] = gate_before_redis.url_for(environment["REDIS_URL"])
    victim.restart()
    gate_before_redis.hold(lambda block: b"LPUSH" in block and f"\r\n{following}\r\n".encode() in block)
    fleet.dispatcher()
    fleet.mobius("ingest", str(tree), "--no-wait")
    assert gate_before_redis.reached.wait(60)
    assert inspection.rows("SELECT stage, state FROM slices") == [{"stage": following, "state": "dispatched"}]
    victim.kill()
    gate_before_redis.close()
    survivor.restart()
    wait_until(lambda: ended(inspection), "the slice completes")
    inspection.assert_true_to(tree)
    assert finished_stages(victim) == list(QUEUES[: QUEUES.index(following)])
    assert finished_stages(survivor) == list(QUEUES[QUEUES.index(following) :])


@pytest.mark.parametrize("fault", ["killed and restarted", "flushed"])
def test_redis_may_lose_everything_while_workers_are_busy(
    fault: str,
    provider: OpenAIStub,
    celery_setup: CeleryTestSetup,
    fleet: Fleet,
    redis_server: RedisClient,
    inspection: Inspection,
    tree: Path,
) -> None:
    provider.latency = 0.3
    workers = celery_setup.worker_cluster
    for worker in workers:
        worker.restart()
    fleet.dispatcher()
    fleet.mobius("ingest", str(tree), "--no-wait", MOBIUS_SLICE_DOCUMENTS="1")
    wait_until(
        lambda: bool(inspection.rows("SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'")), "busy"
    )
    if fault == "flushed":
        redis_server.client.flushall()
    else:
        celery_setup.broker.kill()
        time.sleep(1.0)
        celery_setup.broker.restart()
    wait_until(lambda: ended(inspection) or bool(exited(workers)), f"the run ends. {UPGRADE_GATE}")
    assert exited(workers) == [], UPGRADE_GATE
    inspection.assert_true_to(tree)

    before = [len(finished_stages(worker)) for worker in workers]
    for number in range(8):
        (tree / "package" / f"later_{number}.py").write_text(function(f"later_{number}"))
    fleet.mobius("ingest", str(tree), MOBIUS_SLICE_DOCUMENTS="1")
    inspection.assert_true_to(tree)
    after = [len(finished_stages(worker)) for worker in workers]
    assert all(later > earlier for earlier, later in zip(before, after, strict=True)), UPGRADE_GATE
    assert len(provider.inputs()) == len(set(provider.inputs())), "no text was paid for twice"
