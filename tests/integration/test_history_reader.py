"""What the history checker reads from Postgres is what is there: open work, outcomes, and what was given up."""

from __future__ import annotations

import pytest
from chaos.stores import Reader
from harness.bench import Bench


@pytest.fixture
def reader(services: dict[str, str], database_url: str) -> Reader:
    return Reader(database_url, services["QDRANT_URL"], services["QDRANT_API_KEY"])


def test_work_is_open_until_it_is_done(bench: Bench, reader: Reader) -> None:
    bench.ingest({"a.txt": "text"})
    (slice_,) = bench.slices()
    assert any(f"slice {slice_.id} is ready in parse" in line for line in reader.open_work())
    assert any("a.txt is pending" in line for line in reader.open_work())
    bench.finish()
    assert reader.open_work() == []
    found = reader.at_rest()
    (document,) = found.documents
    assert (document.path, document.text, document.state) == ("a.txt", b"text", "indexed")
    assert [(chunk.document, chunk.start, chunk.end) for chunk in found.chunks] == [(document.id, 0, 4)]
    assert found.outcomes == [(document.id, "indexed", 1)]
    assert found.given_up == []


def test_a_plan_under_way_is_open_work(bench: Bench, reader: Reader) -> None:
    with bench.plan() as run:
        assert reader.open_work() == [f"run {run.id} is being planned"]


def test_a_failure_and_a_dead_letter_are_given_up(bench: Bench, reader: Reader) -> None:
    bench.ingest({"a.txt": "text"})
    bench.take()
    bench.rows("UPDATE slices SET state = 'ready', attempts = 3, error = 'Boom'")
    bench.ledger.sweep(60.0)
    given_up = reader.at_rest().given_up
    assert any(line.startswith("a.txt failed") and "Boom" in line for line in given_up)
    assert any(line.startswith("dead letter") and "Boom" in line for line in given_up)
