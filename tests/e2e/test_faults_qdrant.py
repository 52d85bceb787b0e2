"""Qdrant is restarted, or has lost what it had acknowledged: before the read-back, or when all was committed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from chaos.facts import Breach
from harness import arena as arenas
from harness.arena import Arena
from harness.asking import ask
from harness.databases import Databases
from harness.fleet import wait_until
from harness.index_server import IndexServer
from harness.trees import function

#: Where the points are written, and not read back yet.
WRITTEN = "index.upsert after"


@pytest.fixture(scope="module")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """An index that only this module has."""
    made = IndexServer(tmp_path_factory.mktemp("index"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def arena(
    services: dict[str, str], databases: Databases, qdrant: IndexServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """A dispatcher, and a worker that has written points already and is idle."""
    theirs = services | {"QDRANT_URL": qdrant.url}
    with arenas.opened(theirs, databases, tmp_path_factory.mktemp("qdrant")) as made:
        made.fleet.dispatcher()
        # A worker that is asleep for as long as a server takes to start keeps its claim.
        made.fleet.worker("worker", app="harness.sabotage", MOBIUS_LEASE_SECONDS="60")
        made.accept({"warm.py": function("warm", 2), "edited.py": function("older", 2)})
        made.wait_until_done()
        yield made


def shown(arena: Arena, words: str) -> dict[str, str]:
    """Return what a search shows of each file."""
    hits = ask(arena.env, arena.bench.engine, arena.bench.source.scope, words)
    return {hit.path: hit.text for hit in hits}


def accept_and_stop_when_written(arena: Arena, path: str, content: str) -> int:
    """Return the process that fell asleep with its points written."""
    arena.trap.set(WRITTEN, signal.SIGSTOP)
    arena.accept({path: content})
    wait_until(lambda: arena.trap.sprung_by is not None, "the points are written and not read back")
    assert arena.trap.sprung_by is not None
    return arena.trap.sprung_by


def restarted(server: IndexServer) -> None:
    server.end()
    server.start()


def killed(server: IndexServer) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize("restart", [restarted, killed], ids=["told to end", "killed"])
def test_a_restarted_qdrant_is_written_to_again_by_idle_and_busy_workers(
    arena: Arena, qdrant: IndexServer, restart: Callable[[IndexServer], None]
) -> None:
    name, again = restart.__name__, arena.bought_again()
    restart(qdrant)  # the idle worker's connection is gone
    sleeper = accept_and_stop_when_written(arena, f"{name}.py", function(name, 2))
    restart(qdrant)  # and so is the one that it has just written over
    os.kill(sleeper, signal.SIGCONT)
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.bought_again() == again
    assert name in shown(arena, name)[f"{name}.py"]


def test_what_qdrant_lost_before_it_was_read_back_is_not_committed_but_written_again(
    arena: Arena, qdrant: IndexServer
) -> None:
    again = arena.bought_again()
    qdrant.keep()
    sleeper = accept_and_stop_when_written(arena, "unread.py", function("unread", 2))
    qdrant.lose_what_came_since()
    os.kill(sleeper, signal.SIGCONT)
    arena.wait_until_done()
    (worker,) = (member for member in arena.fleet.members if member.name == "worker")
    assert "ReadBackFailed" in {record["error"] for record in worker.records("slice_handed_back")}
    assert arena.violations() == []
    assert arena.bought_again() == again
    assert "unread" in shown(arena, "unread")["unread.py"]


def test_what_qdrant_lost_after_the_commit_is_mended_by_a_reconciliation_for_nothing(
    arena: Arena, qdrant: IndexServer
) -> None:
    qdrant.keep()
    arena.accept({"edited.py": function("newer", 2), "added.py": function("added", 2)})
    arena.wait_until_done()
    assert arena.violations() == []
    qdrant.lose_what_came_since()
    lost = {violation.breach for violation in arena.violations()}
    assert lost >= {Breach.MISSING, Breach.ORPHANED}, "new points are gone, deleted ones are back"
    assert "older" not in "".join(shown(arena, "older newer added").values()), "a deleted chunk is shown to nobody"
    calls = len(arena.provider.calls)
    arena.fleet.mobius("reconcile", "--repair", "--allow-delete")
    assert arena.violations() == []
    assert len(arena.provider.calls) == calls
    found = shown(arena, "older newer added")
    assert "newer" in found["edited.py"]
    assert "added" in found["added.py"]
