"""The same revision asked for again while a run is bringing it in: the second run waits with the first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.revisions import functions
from harness.steps import Steps, following

from pipeline.intake import AcceptedDocument, OpenRun
from pipeline.types import Stage

TEXT = functions("one", "two", "three")


def ask_again(bench: Steps, path: str = "a.py", content: str = TEXT) -> tuple[OpenRun, frozenset[str]]:
    with bench.plan() as run:
        document: AcceptedDocument = replace(bench.accepted(run.source, path, content), is_in_flight=True)
        return run, bench.intake.join(run, [document])


def outcomes(bench: Steps) -> list[tuple[str, int]]:
    return [(row.outcome.value, row.generation) for row in bench.run_documents()]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_second_run_waits_with_the_first_at_any_stage_and_nothing_is_done_twice(bench: Steps, stage: Stage) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim_at(stage)
    _, joined = ask_again(bench)
    assert joined == {"a.py"}
    bench.work(claim)
    if stage is not Stage.UPSERT:
        bench.work(bench.claim_at(Stage.UPSERT, following(claim.token)))
    assert outcomes(bench) == [("indexed", 1), ("indexed", 1)]
    assert len(bench.embedder.bought) == len(set(bench.embedder.bought)) == len(bench.committed())
    bench.assert_index_is_true()


def test_another_revision_or_a_finished_slice_is_not_joined(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    assert ask_again(bench, content=functions("other"))[1] == frozenset()
    bench.finish()
    assert ask_again(bench)[1] == frozenset()


def test_a_revision_that_was_overtaken_is_not_joined_though_its_slice_is_under_way(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    bench.ingest({"a.py": functions("other")})
    assert ask_again(bench)[1] == frozenset()
    assert ask_again(bench, content=functions("other"))[1] == {"a.py"}


def test_both_runs_see_the_failure_of_what_they_wait_for_but_there_is_one_dead_letter(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim()
    ask_again(bench)
    for _ in range(3):
        bench.crash(claim)
        bench.pass_time(1.0)
        bench.ledger.sweep(60.0)
        tokens = bench.ledger.take_ready(100, oldest_first=True)
        if tokens:
            claim = bench.claim(tokens[0])
    bench.ledger.sweep(60.0)
    assert outcomes(bench) == [("failed", 1), ("failed", 1)]
    assert len(bench.dead_letters()) == 1


def test_a_waiting_run_follows_its_document_when_the_slice_is_split(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT, "b.py": functions("four")})
    claim = bench.claim()
    ask_again(bench)
    for _ in range(3):
        bench.expire(claim)
        bench.ledger.sweep(60.0)
        tokens = bench.ledger.take_ready(100, oldest_first=True)
        if len(tokens) == 1:
            claim = bench.claim(tokens[0])
        for token in tokens if len(tokens) > 1 else ():
            bench.work(bench.claim_at(Stage.UPSERT, token))
    bench.finish()
    assert outcomes(bench) == [("indexed", 1)] * 3
    bench.assert_index_is_true()
