"""The fleet is changed while it works: ended, restarted one after the other, doubled, on a wrong clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from celery import Celery
from harness import arena as arenas
from harness.arena import Arena
from harness.databases import Databases
from harness.fleet import Member, wait_until
from harness.trees import function
from harness.tuning import CLOCK, DRAIN

from tasks.queues import CONTROL, SWEEP

APP = "harness.tuned"
LATENCY = 0.3
QUEUES = ("parse", "chunk", "embed", "upsert")


@pytest.fixture(scope="module")
def opened(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Two dispatchers and no worker."""
    with arenas.opened(services, databases, tmp_path_factory.mktemp("fleet")) as made:
        # Nothing here is lost on its way, so whatever is sent again was not waited for long enough.
        made.env |= {"MOBIUS_LEASE_SECONDS": "3", "MOBIUS_DISPATCH_TIMEOUT_SECONDS": "30"}
        for name in ("dispatcher", "other-dispatcher"):
            made.fleet.dispatcher(name, MOBIUS_DISPATCH_WINDOW="100")
        yield made


@pytest.fixture
def arena(opened: Arena) -> Iterator[Arena]:
    """The same; what a test starts is ended with it."""
    before = len(opened.fleet.members)
    opened.provider.latency = LATENCY
    yield opened
    for member in opened.fleet.members[before:]:
        member.kill()


def batch(name: str, count: int) -> dict[str, str]:
    return {f"{name}_{number}.py": function(f"{name}_{number}", 2) for number in range(count)}


def is_embedding(arena: Arena) -> bool:
    return bool(arena.reader().rows("SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'"))


def stages_of(*members: Member) -> Counter[tuple[object, object]]:
    """Return how often each stage of each slice was finished."""
    found = [record for member in members for record in member.records("stage_finished")]
    return Counter((record["slice_id"], record["stage"]) for record in found)


def end(worker: Member) -> int:
    """Tell a worker's main process to end and return its exit code."""
    assert worker._process is not None
    worker._process.terminate()
    return worker._process.wait(60)


def test_a_worker_that_is_told_to_end_finishes_what_it_has_in_hand(arena: Arena) -> None:
    arena.provider.latency = 2.0
    worker = arena.fleet.worker("drained")
    arena.accept({"drained.py": function("drained", 2)})
    wait_until(lambda: is_embedding(arena), "it waits for the provider")
    assert end(worker) == 0
    assert stages_of(worker)[_only_slice(arena), "embed"] == 1
    arena.provider.latency = LATENCY
    arena.fleet.worker("successor")
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.bought_again("drained") == 0


def _only_slice(arena: Arena) -> str:
    (row,) = arena.reader().rows("SELECT id FROM slices WHERE state <> 'done'")
    return str(row["id"])


def test_a_worker_that_cannot_finish_in_time_ends_and_another_takes_over(arena: Arena) -> None:
    arena.provider.latency = 30.0
    worker = arena.fleet.worker("hanging", app=APP, **{DRAIN: "1"})
    arena.accept({"hanging.py": function("hanging", 2)})
    wait_until(lambda: is_embedding(arena), "it waits for the provider")
    told = time.monotonic()
    end(worker)
    assert time.monotonic() - told < arena.provider.latency / 2, "it waited for its task, not for its soft shutdown"
    assert (_only_slice(arena), "embed") not in stages_of(worker)
    arena.provider.latency = LATENCY
    arena.fleet.worker("successor-of-hanging")
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.reader().rows("SELECT 1 FROM dead_letters") == []


def test_a_rolling_restart_repeats_at_most_what_was_in_hand(arena: Arena) -> None:
    workers = [arena.fleet.worker(name) for name in ("rolled", "rolled-too")]
    for worker in workers:
        arena.accept_each(batch(worker.name, 4))
        wait_until(lambda: is_embedding(arena), "they are busy")
        worker.restart(timeout=60)
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.bought_again("rolled") == 0
    repeated = [stage for stage, count in stages_of(*workers).items() if count > 1]
    assert len(repeated) <= len(workers)


def test_all_workers_killed_at_once_cost_at_most_the_calls_in_flight(arena: Arena) -> None:
    workers = [arena.fleet.worker(name) for name in ("killed", "killed-too")]
    arena.accept_each(batch("killed", 6))
    wait_until(lambda: is_embedding(arena), "they are busy")
    for worker in workers:
        worker.kill()
    # What they had taken and not begun is missed after the dispatch timeout, which is long here.
    arena.bench.rows("UPDATE slices SET dispatched_at = now() - interval '31 s' WHERE state = 'dispatched'")
    for worker in workers:
        worker.start()
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.bought_again("killed") <= len(workers)


def tick(arena: Arena) -> None:
    """Ask for a sweep, as beat does."""
    beat = Celery("beat", broker=f"{arena.redis.url}/0", set_as_current=False)
    beat.send_task(SWEEP, queue=CONTROL, expires=15.0)
    beat.close()


def test_a_killed_dispatcher_is_stood_in_for_by_a_tick_of_beat(arena: Arena) -> None:
    arena.fleet.worker("ticked")
    dispatchers = [member for member in arena.fleet.members if "dispatcher" in member.name]
    for dispatcher in dispatchers:
        dispatcher.kill()
    arena.accept_each(batch("ticked", 3))
    tick(arena)
    arena.wait_until_done()
    assert arena.violations() == []
    for dispatcher in dispatchers:
        dispatcher.start()


def test_two_dispatchers_and_any_number_of_sweeps_send_each_slice_once(arena: Arena) -> None:
    worker = arena.fleet.worker("swept")
    arena.accept_each(batch("doubled", 12))
    beat = Celery("beat", broker=f"{arena.redis.url}/0", set_as_current=False)
    for _ in range(10):  # as many beats would
        beat.send_task(SWEEP, queue=CONTROL)
    beat.close()
    arena.wait_until_done()
    assert arena.violations() == []
    done = stages_of(worker)
    assert len(done) == 12 * 4
    assert set(done.values()) == {1}
    assert worker.records("stale_message_dropped") == []


def test_a_backlog_that_is_sent_again_raises_no_ghost_chains(arena: Arena) -> None:
    """Every message has waited for longer than the dispatcher has patience, so all are sent again behind themselves."""
    count = 20
    arena.provider.latency = 0.0
    arena.accept_each(batch("backlog", count))
    queued = arena.redis.client.llen
    wait_until(lambda: queued("parse") == count, "each message waits there")
    arena.bench.rows("UPDATE slices SET dispatched_at = now() - interval '31 s' WHERE state = 'dispatched'")
    wait_until(lambda: queued("parse") == 2 * count, "each message waits there twice")
    worker = arena.fleet.worker("late")
    arena.wait_until_done()
    wait_until(lambda: not any(map(queued, QUEUES)), "the queues are empty")
    assert set(stages_of(worker).values()) == {1}
    assert len(stages_of(worker)) == 4 * count
    consumed = 4 * count + len(worker.records("stale_message_dropped"))
    assert consumed <= 1.5 * 4 * count
    assert arena.violations() == []


def test_workers_whose_clocks_are_wrong_by_ten_minutes_work_as_any(arena: Arena) -> None:
    """Messages are delivered again after a time that is shorter than that, and ticks of beat expire as well."""
    limits = {f"MOBIUS_{kind}_TIME_LIMIT": "60" for kind in ("CPU", "IO", "RECONCILE")}
    workers = [arena.fleet.worker(f"clock{shift}", app=APP, **limits, **{CLOCK: shift}) for shift in ("-600", "+600")]
    arena.accept_each(batch("clock", 8))
    tick(arena)
    arena.wait_until_done()
    assert arena.violations() == []
    finished = stages_of(*workers)
    assert len(finished) == 8 * 4
    assert set(finished.values()) == {1}
    assert all(stages_of(worker) for worker in workers), "both have worked"
