"""The dispatcher takes ready slices in order, within the window, each once, and can put them back."""

from __future__ import annotations

import threading
from dataclasses import replace
from uuid import UUID

import pytest
from harness.steps import Steps

from pipeline.states import SliceState
from pipeline.types import Priority, Stage, Token


def paths(bench: Steps, tokens: list[Token]) -> list[str]:
    return [path for token in tokens for path in bench.paths_of(token)]


def take_one_by_one(bench: Steps, *, oldest_first: bool) -> list[str]:
    """Return the order in which a window that opens slowly would let the slices through."""
    taken: list[Token] = []
    for window in range(1, 20):
        taken += bench.ledger.take_ready(window, oldest_first=oldest_first)
    return paths(bench, taken)


def ingest_in_order(bench: Steps) -> None:
    for path, priority in [
        ("1-low", Priority.LOW),
        ("2-normal", Priority.NORMAL),
        ("3-high", Priority.HIGH),
        ("4-low", Priority.LOW),
        ("5-high", Priority.HIGH),
    ]:
        bench.ingest({path: "text"}, priority=priority)


def test_the_urgent_go_first_and_among_equals_the_older(bench: Steps) -> None:
    ingest_in_order(bench)
    assert take_one_by_one(bench, oldest_first=False) == ["3-high", "5-high", "2-normal", "1-low", "4-low"]


def test_in_an_ageing_round_the_oldest_go_first_whatever_their_priority(bench: Steps) -> None:
    ingest_in_order(bench)
    assert take_one_by_one(bench, oldest_first=True) == ["1-low", "2-normal", "3-high", "4-low", "5-high"]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_the_window_holds_for_what_is_sent_and_what_runs(bench: Steps, oldest_first: bool) -> None:
    bench.ingest(*({f"{number}.txt": "text"} for number in range(12)))
    first = bench.ledger.take_ready(3, oldest_first=oldest_first)
    assert len(first) == 3
    claims = [bench.claim(token) for token in first[:2]]
    assert bench.ledger.take_ready(3, oldest_first=oldest_first) == []
    assert len(bench.ledger.take_ready(5, oldest_first=oldest_first)) == 2
    assert bench.ledger.take_ready(2, oldest_first=oldest_first) == [], "a window that shrank takes nothing back"
    bench.ledger.hand_back(claims[0], "Error", "", 3600.0, forgive=True)
    assert len(bench.ledger.take_ready(5, oldest_first=oldest_first)) == 1
    assert sum(row.state in {SliceState.DISPATCHED, SliceState.RUNNING} for row in bench.slices()) == 5


def test_messages_that_wait_at_the_broker_take_room_in_the_window(bench: Steps) -> None:
    bench.ingest(*({f"{number}.txt": "text"} for number in range(12)))
    first = bench.ledger.take_ready(8, oldest_first=True, queued=5)
    assert len(first) == 3
    bench.claim(first[0])
    assert bench.ledger.take_ready(8, oldest_first=True, queued=8) == []
    assert len(bench.ledger.take_ready(8, oldest_first=True, queued=1)) == 5, "two of its own are sent, one runs"


def test_an_urgent_file_overtakes_a_bulk_run_within_one_window(bench: Steps) -> None:
    bench.ingest(*({f"{number}.txt": "text"} for number in range(40)), priority=Priority.LOW)
    window = bench.ledger.take_ready(4, oldest_first=False)
    bench.ingest({"urgent.txt": "text"}, priority=Priority.HIGH)
    bench.work(bench.claim_at(Stage.UPSERT, window[0]))
    (token,) = bench.ledger.take_ready(4, oldest_first=False)
    assert bench.paths_of(token) == ["urgent.txt"]


def test_bulk_goes_on_under_a_load_of_urgent_files_that_never_ends(bench: Steps) -> None:
    """Each round an urgent file comes and one slice is let through, by age in one round of four."""
    bulk = 5
    bench.ingest(*({f"bulk-{number}.txt": "text"} for number in range(bulk)), priority=Priority.LOW)
    done: list[str] = []
    for number in range(4 * bulk):
        bench.pass_time(1.0)
        bench.ingest({f"urgent-{number}.txt": "text"}, priority=Priority.HIGH)
        (token,) = bench.ledger.take_ready(1, oldest_first=number % 4 == 3)
        done += bench.paths_of(token)
        bench.work(bench.claim_at(Stage.UPSERT, token))
    assert [path for path in done if path.startswith("bulk")] == [f"bulk-{number}.txt" for number in range(bulk)]
    assert len(done) == 4 * bulk


def test_a_finished_slice_makes_room(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"}, {"b.txt": "text"})
    (token,) = bench.ledger.take_ready(1, oldest_first=True)
    assert bench.ledger.take_ready(1, oldest_first=True) == []
    bench.work(bench.claim_at(Stage.UPSERT, token))
    assert len(bench.ledger.take_ready(1, oldest_first=True)) == 1


def test_every_send_has_a_token_of_its_own(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    first = bench.take()
    bench.ledger.put_back(first)
    second = bench.take()
    assert (first.seq, second.seq) == (1, 2)
    assert bench.ledger.claim(first, "host:1", 60.0) is None
    assert bench.ledger.claim(second, "host:1", 60.0) is not None


def test_a_slice_whose_message_could_not_be_sent_is_ready_at_once(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    token = bench.take()
    bench.ledger.put_back(token)
    assert (bench.only_slice().state, bench.only_slice().attempts) == (SliceState.READY, 0)


def test_only_the_very_send_that_failed_is_put_back(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    token = bench.take()
    before = bench.snapshot()
    bench.ledger.put_back(replace(token, seq=token.seq - 1))
    bench.ledger.put_back(replace(token, stage=Stage.CHUNK))
    assert bench.snapshot() == before
    bench.claim(token)
    bench.ledger.put_back(token)
    assert bench.only_slice().state is SliceState.RUNNING, "a worker was quicker"


def test_a_slice_is_not_sent_before_its_time(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.ledger.hand_back(bench.claim(), "RateLimited", "", 3600.0, forgive=True)
    assert bench.ledger.take_ready(100, oldest_first=False) == []
    assert bench.ledger.take_ready(100, oldest_first=True) == []
    bench.pass_time(3601.0)
    bench.take()
    assert bench.only_slice().not_before is None


def test_an_exhausted_slice_is_not_sent_again(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.wear_out(bench.only_slice().id)
    assert bench.ledger.take_ready(100, oldest_first=False) == []


def test_several_takers_never_get_the_same_slice(bench: Steps) -> None:
    bench.ingest(*({f"{number}.txt": "text"} for number in range(60)))
    together = threading.Barrier(4)
    taken: list[UUID] = []

    def take() -> None:
        together.wait(10)
        for window in range(1, 61):
            taken.extend(token.slice_id for token in bench.ledger.take_ready(window, oldest_first=bool(window % 2)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60
