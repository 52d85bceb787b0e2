"""Under a small budget everything is indexed, no attempt is burnt, and the provider is never called too often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from harness.fleet import Fleet, wait_until
from harness.inspection import Inspection

from pipeline.budget import SPREAD_SECONDS
from pipeline.testing.openai_stub import Fault, OpenAIStub

PER_MINUTE = 150
#: On a busy machine a call may be so much slower on its way to the provider than the one after it (s).
JITTER = 2.0


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


@pytest.fixture
def stub(environment: dict[str, str], record: Path) -> Iterator[OpenAIStub]:
    """A provider that records when it is called, and a fleet with little money."""
    with OpenAIStub(dims=32, record=record) as running:
        environment |= {
            "MOBIUS_EMBEDDER": "openai",
            "OPENAI_API_KEY": "a-test-key",
            "OPENAI_BASE_URL": running.url,
            "MOBIUS_OPENAI_DIMS": "32",
            "MOBIUS_OPENAI_MODEL": f"stub-{environment['DATABASE_URL'].rpartition('/')[2]}",
            "MOBIUS_OPENAI_MAX_INPUTS": "2",
            "MOBIUS_OPENAI_RPM": str(PER_MINUTE),
            "MOBIUS_SLICE_DOCUMENTS": "3",
        }
        yield running


def arrivals(record: Path) -> list[float]:
    return sorted(json.loads(line)["at"] for line in record.read_text().splitlines())


def assert_within_budget(record: Path) -> None:
    """No stretch of time, however short or long, holds more calls than the budget spreads over it, and one."""
    times = arrivals(record)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            allowed = (times[last] - start + JITTER) * PER_MINUTE / SPREAD_SECONDS + 1
            assert last - first + 1 <= allowed, f"calls {first} to {last} in {times[last] - start} s"


def attempts(inspection: Inspection) -> set[int]:
    return {row["attempts"] for row in inspection.rows("SELECT attempts FROM slices")}


def test_a_small_budget_is_kept_by_two_workers_and_everything_is_indexed(
    fleet: Fleet, stub: OpenAIStub, record: Path, inspection: Inspection, tree: Path
) -> None:
    one, other = fleet.worker("one", processes=2), fleet.worker("other", processes=2)
    fleet.dispatcher()
    fleet.mobius("ingest", str(tree))
    inspection.assert_true_to(tree)
    assert_within_budget(record)
    back = [record["error"] for member in (one, other) for record in member.records("slice_handed_back")]
    assert set(back) <= {"RateLimited", "BeingBoughtElsewhere"}
    assert "RateLimited" in back, "the budget was what held it up"
    assert attempts(inspection) <= {0, 1}
    texts = stub.inputs()
    assert len(texts) == len(set(texts)), "nothing is paid for twice"
    calls = len(stub.calls)
    for _ in range(2):
        fleet.mobius("search", "what does it do")
        assert len(stub.calls) == calls + 1
    assert_within_budget(record)


def test_a_429_at_one_worker_stops_the_other(
    fleet: Fleet, stub: OpenAIStub, record: Path, inspection: Inspection, tree: Path
) -> None:
    fleet.worker("one")
    fleet.worker("other")
    stub.faults.append(Fault(status=429, headers={"Retry-After": "4"}, text="module_2"))
    fleet.dispatcher()
    fleet.mobius("ingest", str(tree))
    inspection.assert_true_to(tree)
    assert attempts(inspection) <= {0, 1}
    calls = [json.loads(line) for line in record.read_text().splitlines()]
    (limited,) = (call["at"] for call in calls if call["status"] == 429)
    assert [call["at"] - limited for call in calls if 0.3 < call["at"] - limited < 3.9] == []
    assert any(call["at"] > limited + 3.9 for call in calls)


def test_a_tight_budget_still_finds_the_one_text_that_is_refused(
    fleet: Fleet, stub: OpenAIStub, environment: dict[str, str], inspection: Inspection, tmp_path: Path
) -> None:
    """Nearly every call is followed by a hand-back, and what was learnt by then must not be lost."""
    environment |= {"MOBIUS_OPENAI_RPM": "25", "MOBIUS_OPENAI_MAX_INPUTS": "256", "MOBIUS_SLICE_DOCUMENTS": "64"}
    tree = tmp_path / "poisoned"
    tree.mkdir()
    for name in ("first", "second", "third", "poison"):
        (tree / f"{name}.txt").write_text(f"There is nothing in {name} but these words.\n")
    stub.faults.extend([Fault(status=400, text="in poison")] * 50)
    fleet.worker("worker")
    fleet.dispatcher()
    done = fleet.mobius("ingest", str(tree), "--json", check=False)
    report = json.loads(done.stdout)
    assert [(error["path"], error["error"]) for error in report["errors"]] == [("poison.txt", "InputRejected")]
    assert report["documents"]["indexed"] == 3
    assert len(stub.calls) == 5, "the whole, two halves, and the texts of the refused half"


def test_a_redis_without_the_budget_holds_the_embedding_up_and_loses_nothing(
    fleet: Fleet, stub: OpenAIStub, environment: dict[str, str], record: Path, inspection: Inspection, tree: Path
) -> None:
    """The budget's key is unusable, as when Redis refuses writes: nobody calls the provider without having asked."""
    client = redis.Redis.from_url(environment["REDIS_URL"])
    key = f"mobius:budget:openai/{environment['MOBIUS_OPENAI_MODEL']}/32"
    client.set(key, "unusable")
    worker = fleet.worker("worker")
    fleet.dispatcher()
    fleet.mobius("ingest", str(tree), "--no-wait")
    wait_until(lambda: bool(worker.records("slice_handed_back")), "the slice is handed back")
    assert stub.calls == []
    client.delete(key)
    fleet.mobius("ingest", str(tree))
    wait_until(lambda: not inspection.rows("SELECT 1 FROM slices WHERE state <> 'done'"), "everything ends")
    inspection.assert_true_to(tree)
    assert attempts(inspection) <= {0, 1}
    assert_within_budget(record)
