"""Faults that take room or data away: a full disk, no free connection, an index without what it had acknowledged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from chaos.acts import holds_within, signal_group
from chaos.commands import start
from chaos.stack import Stack
from chaos.wire import Mood
from harness.servers import wipe_redis

#: For a server to be back, a claim to end and a reconciliation to succeed (seconds).
_READY = 60.0
#: Seconds for which Qdrant forgets what it took, and for what is on the wire to arrive.
_LOST, _ON_THE_WIRE = 1.0, 0.5
_UPSERTING = "SELECT id, seq FROM slices WHERE stage = 'upsert' AND state = 'running'"
_DRIFTED = (
    "SELECT point_id FROM drifts WHERE reconciliation_id ="
    " (SELECT id FROM reconciliations ORDER BY created_at DESC LIMIT 1)"
)


def redis_wiped(stack: Stack, _rng: random.Random) -> None:
    """Its data is gone before the supervisor starts it again, which takes a quarter of a second at least."""
    stack.send("redis", signal.SIGKILL)
    wipe_redis(stack.home.path / "redis")


def fill_disk(stack: Stack, seconds: float) -> None:
    """Let Postgres refuse every new blob for a while, in the words of a full disk; it ends by itself."""
    stack.execute(
        "CREATE OR REPLACE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF now() < timestamptz 'epoch' + {time.time() + seconds} * interval '1 s' THEN"
        " RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';"
        " END IF; RETURN NEW; END $$"
    )
    stack.execute("CREATE OR REPLACE TRIGGER no_space BEFORE INSERT ON blobs FOR EACH ROW EXECUTE FUNCTION no_space()")


@contextmanager
def connections_used_up(stack: Stack, _rng: random.Random) -> Iterator[None]:
    """Hold every connection that Postgres has left."""
    url = stack.services["DATABASE_URL"]
    with ExitStack() as held:
        try:
            while True:
                held.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=5))
        except psycopg.OperationalError:
            yield


@contextmanager
def qdrant_loses_its_last_second(stack: Stack, _rng: random.Random) -> Iterator[None]:
    """Kill Qdrant and start it with older data; then reconcile, which may find nothing else than what was lost."""
    data, kept = stack.home.path / "qdrant", stack.directory / "qdrant-kept"
    pid = stack.pid("qdrant")
    if pid is None:
        raise KeyError("qdrant")
    shutil.rmtree(kept, ignore_errors=True)
    signal_group(pid, signal.SIGSTOP)
    try:
        shutil.copytree(data, kept)
    finally:
        signal_group(pid, signal.SIGCONT)
    time.sleep(_LOST)
    stack.wire.mood = Mood.DOWN
    try:
        time.sleep(_ON_THE_WIRE)
        before = stack.reader().points()
        upserting = {(row["id"], row["seq"]) for row in stack.reader().rows(_UPSERTING)}
        stack.lacks_points = True
        signal_group(pid, signal.SIGKILL)
        data.rename(stack.directory / f"qdrant-lost-{os.urandom(4).hex()}")
        kept.rename(data)
        yield
        holds_within(lambda: stack.pid("qdrant") not in {pid, None}, _READY)
        after = stack.reader().points()
    finally:
        stack.wire.mood = Mood.GOOD
    # What was read back before may be committed now; the reconciliation has to come after that.
    holds_within(lambda: not upserting & _upserting(stack), _READY)
    _reconcile(stack, {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)})


def _upserting(stack: Stack) -> set[tuple[object, object]]:
    return {(row["id"], row["seq"]) for row in stack.reader().rows(_UPSERTING)}


def _reconcile(stack: Stack, lost: set[str]) -> None:
    def succeeds() -> bool:
        started = start(stack.user_environment, "reconcile", "--repair", "--allow-delete", quiet=True)
        return started.wait(5 * _READY) == 0

    stack.lacks_points = not holds_within(succeeds, _READY)
    drifted = {str(row["point_id"]) for row in stack.reader().rows(_DRIFTED)}
    stack.mended_besides += sorted(drifted - lost)
