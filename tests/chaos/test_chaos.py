"""A short run under a fixed seed: the whole machinery of ``make chaos``, on a small tree and with quick leases."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.report import as_text
from chaos.soak import soak
from chaos.wish import Wish

SEED = 20_261_121
#: Of every family of faults; those that only take long are left to the long run.
STORM = (
    "worker killed",
    "pool process killed",
    "all workers killed",
    "dispatcher killed",
    "both beats killed",
    "API killed",
    "Redis wiped",
    "Redis connections cut",
    "messages three times, shuffled",
    "messages lost",
    "Postgres stopped at once",
    "transactions cut",
    "Qdrant killed",
    "Qdrant refuses writes",
    "provider: 429 storm",
    "provider: truncated JSON",
)
QUICK = {
    "MOBIUS_LEASE_SECONDS": "4",
    "MOBIUS_HEARTBEAT_SECONDS": "1",
    "MOBIUS_SWEEP_SECONDS": "1",
    "MOBIUS_DISPATCH_TIMEOUT_SECONDS": "5",
    "MOBIUS_RETRY_SECONDS": "0.5",
    "MOBIUS_SLICE_DOCUMENTS": "4",
}


@pytest.mark.timeout(400)
def test_a_fixed_seed_of_faults_breaks_no_promise(tmp_path: Path) -> None:
    patience = {"seconds": 30, "least": 5, "gap": 1.0}
    wish = Wish(tmp_path, SEED, files=30, singles=(), storm=STORM, settings=QUICK, edits=6, **patience)
    result = soak(wish)
    assert result.has_survived, as_text(result)
    assert len(result.strikes) >= 5
    assert result.facts["answers of the search held against the files"] > 0
    assert result.facts["done documents held against the index"] > 0
