"""Settings and adapters are joined without a connection, and every value arrives where it belongs."""

from __future__ import annotations

import os

import pytest

from pipeline.errors import MisconfiguredError
from pipeline.reconcile_ports import ReconcilePolicy
from pipeline.types import Stage
from tasks.base import StagePolicy
from worker.context import build_context, stage_policy
from worker.settings import load_settings

SERVICES = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:9/db",
    "REDIS_URL": "redis://127.0.0.1:9",
    "QDRANT_URL": "http://127.0.0.1:9",
}


def test_nothing_connects_before_its_first_use() -> None:
    context = build_context(load_settings(SERVICES))
    assert context.embedder.model.provider == "local"
    assert context.worker.endswith(f":{os.getpid()}")
    assert context.embedder.model.key in context.versions
    context.index.close()
    context.embedder.close()


@pytest.mark.parametrize("missing", ["DATABASE_URL", "QDRANT_URL"])
def test_a_missing_address_is_named(missing: str) -> None:
    given = {name: value for name, value in SERVICES.items() if name != missing}
    with pytest.raises(MisconfiguredError, match=f"{missing} is not set"):
        build_context(load_settings(given))


def test_every_time_and_window_reaches_the_stages() -> None:
    environ = {
        "MOBIUS_LEASE_SECONDS": "11",
        "MOBIUS_HEARTBEAT_SECONDS": "2",
        "MOBIUS_RETRY_SECONDS": "3",
        "MOBIUS_DISPATCH_TIMEOUT_SECONDS": "4",
        "MOBIUS_DISPATCH_WINDOW": "5",
        "MOBIUS_CPU_TIME_LIMIT": "6",
        "MOBIUS_IO_TIME_LIMIT": "7",
    }
    deadlines = {Stage.PARSE: 6.0, Stage.CHUNK: 6.0, Stage.EMBED: 7.0, Stage.UPSERT: 7.0}
    assert stage_policy(load_settings(environ)) == StagePolicy(11.0, 2.0, 3.0, 4.0, 5, deadlines)


def test_the_limits_of_a_reconciliation_reach_it_and_no_embedder_does() -> None:
    environ = {"MOBIUS_LEASE_SECONDS": "11", "MOBIUS_RECONCILE_DELETE_SHARE": "0.125"}
    context = build_context(load_settings(SERVICES | environ))
    assert context.reconcile is not None
    assert context.reconcile.policy == ReconcilePolicy(lease_seconds=33.0, delete_share=0.125)
    assert (context.reconcile.index, context.reconcile.model) == (context.index, context.embedder.model)
    context.index.close()
    context.embedder.close()
