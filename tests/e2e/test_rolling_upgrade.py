"""A fleet is upgraded while it works: migration first, then worker by worker, then dispatcher and producers.

"Old" is this version, "new" the next release (``harness.releases``), in processes of their own with sources of their
own. Queues are taken from a worker and given to it, so that each direction in which work can pass is certain to be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from harness import arena as arenas
from harness.arena import Arena
from harness.databases import Databases
from harness.fleet import Fleet, Member, wait_until
from harness.releases import next_release, next_revision, version_of
from harness.trees import function

from models import schema

#: Many processes start here, one after the other; on a machine that has other things to do that takes minutes.
pytestmark = pytest.mark.timeout(400)

CPU, IO = ("parse", "chunk"), ("embed", "upsert")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the next release."""
    return next_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def arena(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Nobody dies here holding a slice, so no lease need be short: each loss is one too many."""
    place = tmp_path_factory.mktemp("upgrade")
    with arenas.opened(services, databases, place, MOBIUS_LEASE_SECONDS="20") as made:
        made.provider.latency = 0.2
        yield made


@pytest.fixture(scope="module")
def newer(arena: Arena, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Members of the next release in the same arena."""
    made = Fleet(arena.env, tmp_path_factory.mktemp("newer"), release)
    yield made
    made.end()


def batch(name: str, count: int) -> dict[str, str]:
    return {f"{name}_{number}.py": function(f"{name}_{number}", 2) for number in range(count)}


def takes(arena: Arena, worker: Member, *queues: str) -> None:
    """Let a worker take messages from these of the stages' queues, and from no other."""
    with Celery("operator", broker=f"{arena.redis.url}/0", set_as_current=False) as app:
        for queue in (*CPU, *IO):
            change = app.control.add_consumer if queue in queues else app.control.cancel_consumer
            replies = change(queue, destination=[f"{worker.name}@test"], reply=True, timeout=30, limit=1)
            assert replies, f"{worker.name} does not answer"


def handed_back(worker: Member, error: str) -> list[str]:
    """Return what a worker said of the slices that it gave back for one reason."""
    return [str(record["message"]) for record in worker.records("slice_handed_back") if record["error"] == error]


def chunkers(arena: Arena, name: str) -> set[str]:
    """Return the versions of the chunkers that documents of a batch are recorded with."""
    rows = arena.reader().rows("SELECT versions FROM documents WHERE path LIKE %s", f"{name}%")
    return {word for row in rows for word in row["versions"].split() if word.startswith("chunker-")}


def test_no_process_starts_on_a_schema_older_than_it_needs(arena: Arena, newer: Fleet, databases: Databases) -> None:
    with databases.migrated() as url:
        worker = newer.start(
            "early-worker", ["celery", "-A", "worker.app", "worker", "-n", "early@test"], DATABASE_URL=url
        )
        dispatcher = newer.dispatcher("early-dispatcher", DATABASE_URL=url)
        for member in (worker, dispatcher):
            wait_until(lambda member=member: not member.is_alive, f"{member.name} has ended")
            assert member._process is not None
            assert member._process.returncode != 0
            needed = f"at schema {schema.known_revisions()[-1]}, but this version needs {next_revision()}"
            assert needed in member.logs()
            assert "run `mobius migrate`" in member.logs()


def test_a_fleet_is_upgraded_step_by_step_while_it_works(arena: Arena, newer: Fleet, tmp_path: Path) -> None:
    first = arena.fleet.dispatcher()
    old = arena.fleet.worker("old")
    _migrate_under_load(arena, newer, old)
    new = newer.worker("new")
    _pass_on_to_newer(arena, old, new)
    _pass_on_to_older(arena, old, new)
    first.kill()
    _replace_dispatcher_and_producers(arena, newer, old, new, tmp_path)

    assert arena.violations() == []
    assert arena.bought_again() == 0
    assert arena.reader().rows("SELECT 1 FROM dead_letters") == []
    assert arena.reader().rows("SELECT * FROM slices WHERE state <> 'done' OR losses > 0") == []
    assert all(member.is_alive for member in (old, new))


def _migrate_under_load(arena: Arena, newer: Fleet, old: Member) -> None:
    """The old worker notices nothing, and begins again on the newer schema as it did before."""
    arena.accept_each(batch("begun", 4))
    embedding = "SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'"
    wait_until(lambda: bool(arena.reader().rows(embedding)), "it is busy")
    newer.mobius("migrate")
    assert schema.current_revision(arena.env["DATABASE_URL"]) == next_revision()
    arena.wait_until_done()
    assert old.records("slice_handed_back") == []
    old.restart(timeout=60)
    arena.accept_each(batch("migrated", 2))
    arena.wait_until_done()
    assert chunkers(arena, "begun") == chunkers(arena, "migrated") == {f"chunker-{version_of('CHUNKER_VERSION')}"}


def _pass_on_to_newer(arena: Arena, old: Member, new: Member) -> None:
    """What the old worker chunked comes to the new one: it is chunked again."""
    takes(arena, old, *CPU)
    takes(arena, new, *IO)
    arena.accept_each(batch("older", 3))
    wait_until(lambda: bool(handed_back(new, "MadeByOlder")), "the new worker has met older chunks")
    takes(arena, old)
    takes(arena, new, *CPU, *IO)
    arena.wait_until_done()


def _pass_on_to_older(arena: Arena, old: Member, new: Member) -> None:
    """What the new worker chunked comes to the old one: it is left to the new one."""
    takes(arena, new, *CPU)
    takes(arena, old, *IO)
    arena.accept_each(batch("newer", 3))
    wait_until(lambda: bool(handed_back(old, "MadeByNewer")), "the old worker has met newer chunks")
    takes(arena, new, *CPU, *IO)
    arena.wait_until_done()
    assert len(chunkers(arena, "newer")) == 1
    assert chunkers(arena, "newer") != chunkers(arena, "begun")


def _replace_dispatcher_and_producers(arena: Arena, newer: Fleet, old: Member, new: Member, place: Path) -> None:
    """Links and slices of the next release come to the old worker: they are left to the new one."""
    newer.dispatcher()
    takes(arena, old, *IO)
    takes(arena, new, *CPU)
    arena.accept_each(batch("sent", 2))
    wait_until(lambda: _has_said(old, "newer version sent this message"), "the old worker has met a newer message")
    for worker in (old, new):
        takes(arena, worker, *CPU, *IO)
    arena.wait_until_done()
    files = batch("planned", 3)
    for path, content in files.items():
        (place / path).write_text(content)
    arena.files |= {path: content.encode() for path, content in files.items()}
    newer.mobius("ingest", str(place), "--tenant", "tenant", "--project", "project")
    assert chunkers(arena, "planned") == chunkers(arena, "sent") == chunkers(arena, "newer")


def _has_said(worker: Member, what: str) -> bool:
    return any(what in message for message in handed_back(worker, "MadeByNewer"))
