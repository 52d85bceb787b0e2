"""A worker dies, or falls asleep, at every boundary of every stage; the next one finishes what it left.

Traps catch the pool process at the very place. The worker's main process lives and forks another one.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest
from harness import arena as arenas
from harness.arena import Arena
from harness.asking import ask
from harness.databases import Databases
from harness.fleet import Member, wait_until
from harness.trap import PUBLISHED
from harness.trees import function

APP = "harness.sabotage"

#: Where a death costs the one provider call that was answered and not committed.
AFTER_THE_REPLY = "ledger.save_reply before"

DEATHS = {
    "parse: claimed": "ledger.claim:parse after",
    "parse: before the commit": "ledger.commit_outlines before",
    "parse: after the commit": "ledger.commit_outlines after",
    "parse: after the next link, before the ack": PUBLISHED,
    "chunk: claimed": "ledger.claim:chunk after",
    "chunk: before the commit": "ledger.commit_chunk_sets before",
    "chunk: after the commit": "ledger.commit_chunk_sets after",
    "embed: claimed": "ledger.claim:embed after",
    "embed: reserved, before the call": "ledger.reserve_embeddings after",
    "embed: after the provider's reply": AFTER_THE_REPLY,
    "embed: after the reply's commit": "ledger.save_reply after",
    "embed: before the commit": "ledger.commit_embedded before",
    "embed: after the commit": "ledger.commit_embedded after",
    "upsert: claimed": "ledger.claim:upsert after",
    "upsert: before the points": "index.upsert before",
    "upsert: after the points, before they are read back": "index.upsert after",
    "upsert: between the points and the ledger's commit": "ledger.commit_chunks before",
    "upsert: between the ledger's commit and the deletions": "ledger.commit_chunks after",
    "upsert: after the deletions": "index.delete after",
    "upsert: before the end": "ledger.finish_slice before",
    "upsert: after the end": "ledger.finish_slice after",
}

SLEEPS = {
    "asleep in parse": "ledger.commit_outlines before",
    "asleep in chunk": "ledger.commit_chunk_sets before",
    "asleep in embed (reply in hand)": AFTER_THE_REPLY,
    "asleep in embed": "ledger.commit_embedded before",
    "asleep in upsert, before the points": "index.upsert before",
    "asleep in upsert, points written": "ledger.commit_chunks before",
    "asleep in upsert, chunks committed": "ledger.finish_slice before",
}


@pytest.fixture(scope="module")
def arena(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Two workers and a dispatcher that are done with an older revision of every test's file."""
    with arenas.opened(services, databases, tmp_path_factory.mktemp("boundaries")) as made:
        made.fleet.dispatcher()
        for name in ("one", "two"):
            made.fleet.worker(name, app=APP)
        made.accept({path_of(case): revised(case, "older") for case in (*DEATHS, *SLEEPS)})
        made.wait_until_done()
        yield made


def slug(case: str) -> str:
    return re.sub(r"\W+", "_", case)


def path_of(case: str) -> str:
    return f"{slug(case)}.py"


def revised(case: str, revision: str) -> str:
    """Return a module of which one function is the same in every revision, and the other in none."""
    return function(f"{slug(case)}_stays", 15) + "\n\n" + function(f"{slug(case)}_{revision}", 15)


@pytest.mark.parametrize("case", DEATHS)
def test_a_death_at_a_boundary_loses_nothing_and_buys_nothing_twice(arena: Arena, case: str) -> None:
    calls, again = len(arena.provider.calls), arena.bought_again()
    arena.trap.set(DEATHS[case])
    arena.accept({path_of(case): revised(case, "newer")})
    wait_until(lambda: arena.trap.sprung_by is not None, "a process dies there")
    arena.wait_until_done()
    assert arena.violations() == []
    is_in_flight = DEATHS[case] == AFTER_THE_REPLY
    assert len(arena.provider.calls) - calls == (2 if is_in_flight else 1)
    assert arena.bought_again() - again == (len(arena.provider.calls[-1].inputs) if is_in_flight else 0)


@pytest.mark.parametrize("case", SLEEPS)
def test_a_sleeper_that_wakes_after_a_newer_revision_leaves_no_trace(arena: Arena, case: str) -> None:
    """It is stopped with its stage done and not told, and wakes when its slice and a newer revision are long done."""
    arena.trap.set(SLEEPS[case], signal.SIGSTOP)
    arena.accept({path_of(case): revised(case, "newer")})
    wait_until(lambda: arena.trap.sprung_by is not None, "a process falls asleep there")
    sleeper = arena.trap.sprung_by
    assert sleeper is not None
    arena.accept({path_of(case): revised(case, "newest")})
    arena.wait_until_done()
    before, lost = arena.stores(), losses(arena.fleet.members)
    os.kill(sleeper, signal.SIGCONT)
    wait_until(lambda: losses(arena.fleet.members) > lost, "the sleeper finds its claim gone")
    assert arena.stores() == before
    assert arena.violations() == []
    hits = ask(arena.env, arena.bench.engine, arena.bench.source.scope, f"{slug(case)} newer newest")
    shown = "\n".join(hit.text for hit in hits if hit.path == path_of(case))
    assert f"{slug(case)}_newest" in shown
    assert f"{slug(case)}_newer" not in shown


def losses(members: list[Member]) -> int:
    """Return how often a worker found that its claim was taken over."""
    return sum(len(member.records("claim_lost")) for member in members)
