"""The history checker finds every kind of broken promise when it is planted, and none where there is none."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from chaos import facts, judge, stores
from chaos.facts import Breach, Chunk, Disturbance, Document, History, Hit, Payment, Stores
from chaos.judge import judge_answer, judge_bill, judge_rest

TEXT = b"one\ntwo\nthree\nfour\n"
OLDER = b"one\nTWO\nthree\nFOUR\n"
FILES = {"a.py": TEXT, "b.py": TEXT}


def document(key: str, path: str) -> Document:
    digest = sha256(TEXT).digest()
    return Document(key, path, "indexed", 2, 2, 2, digest, digest, TEXT, is_deleted=False)


def chunks(key: str) -> list[Chunk]:
    return [
        Chunk(f"{key}-1", key, 1, 0, 8, 1, 2, "hash of the first half", is_retired=False),
        Chunk(f"{key}-2", key, 2, 8, len(TEXT), 3, 4, "hash of the second half", is_retired=False),
    ]


def point(chunk: Chunk, path: str) -> dict[str, object]:
    names = ("generation", "start_line", "end_line", "text_hash")
    return {"path": path, **{name: getattr(chunk, name) for name in names}}


def sound() -> Stores:
    both = [*chunks("A"), *chunks("B")]
    paths = {"A": "a.py", "B": "b.py"}
    return Stores(
        documents=[document(key, path) for key, path in paths.items()],
        chunks=both,
        points={chunk.id: point(chunk, paths[chunk.document]) for chunk in both},
        outcomes=[("A", "superseded", 1), ("A", "indexed", 2), ("B", "indexed", 2)],
    )


def with_document(number: int, **changes: object) -> Callable[[Stores], Stores]:
    def change(stores: Stores) -> Stores:
        documents = list(stores.documents)
        documents[number] = replace(documents[number], **changes)  # the test's own
        return replace(stores, documents=documents)

    return change


def with_chunk(number: int, **changes: object) -> Callable[[Stores], Stores]:
    def change(stores: Stores) -> Stores:
        changed = list(stores.chunks)
        changed[number] = replace(changed[number], **changes)  # the test's own
        return replace(stores, chunks=changed)

    return change


def with_point(key: str, **changes: object) -> Callable[[Stores], Stores]:
    return lambda stores: replace(stores, points={**stores.points, key: {**stores.points.get(key, {}), **changes}})


def without_point(key: str) -> Callable[[Stores], Stores]:
    return lambda stores: replace(stores, points={name: stores.points[name] for name in stores.points if name != key})


def without_document(number: int) -> Callable[[Stores], Stores]:
    return lambda stores: replace(
        stores,
        documents=[each for each in stores.documents if each is not stores.documents[number]],
        outcomes=[each for each in stores.outcomes if each[0] != stores.documents[number].id],
    )


def twice(stores: Stores) -> Stores:
    return replace(stores, documents=[*stores.documents, replace(stores.documents[0], id="C", state="pending")])


PLANTED: dict[str, tuple[Callable[[Stores], Stores], set[Breach]]] = {
    "a file without a document": (without_document(0), {Breach.LOST, Breach.ORPHANED}),
    "an older text": (with_document(0, text=OLDER), {Breach.LOST}),
    "no text at all": (with_document(0, text=None), {Breach.LOST, Breach.FALSELY_DONE}),
    "a chunk that is retired": (with_chunk(0, is_retired=True), {Breach.LOST, Breach.ORPHANED, Breach.FALSELY_DONE}),
    "a file that is gone": (with_document(0, path="gone.py"), {Breach.LOST, Breach.LINGERING, Breach.WRONG}),
    "two documents for a file": (twice, {Breach.LOST, Breach.DUPLICATED}),
    "chunks that overlap": (with_chunk(1, start=4), {Breach.LOST, Breach.DUPLICATED, Breach.FALSELY_DONE}),
    "a slice that nobody works on": (lambda found: replace(found, open_work=["slice 1"]), {Breach.STUCK}),
    "a dead letter": (lambda found: replace(found, given_up=["dead letter 1"]), {Breach.GIVEN_UP}),
    "a point that is not there": (without_point("A-1"), {Breach.MISSING, Breach.FALSELY_DONE}),
    "a point that nothing stands for": (with_point("X", path="a.py"), {Breach.ORPHANED}),
    "a point of another generation": (with_point("A-1", generation=7), {Breach.WRONG}),
    "a point of other lines": (with_point("A-1", start_line=9), {Breach.WRONG}),
    "a point of another text": (with_point("A-1", text_hash="other"), {Breach.WRONG}),
    "a point of another file": (with_point("A-1", path="b.py"), {Breach.WRONG}),
    "done with an older revision": (with_document(0, revision=b"newer", generation=3), {Breach.FALSELY_DONE}),
    "an outcome of a document that is not": (with_document(0, state="pending", indexed=1), {Breach.FALSELY_DONE}),
    "a deletion that left chunks": (with_document(0, state="deleted"), {Breach.FALSELY_DONE}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_breach_is_found_by_its_name(name: str) -> None:
    plant, expected = PLANTED[name]
    found = judge_rest(FILES, plant(sound()))
    assert {violation.breach for violation in found} == expected
    assert all(violation.what for violation in found)


def test_every_breach_at_rest_is_planted_once() -> None:
    elsewhere = {Breach.MIXED, Breach.PAID_TWICE}
    assert set().union(*(breaches for _, breaches in PLANTED.values())) | elsewhere == set(Breach)


def test_what_is_in_order_is_no_breach() -> None:
    assert judge_rest(FILES, sound()) == []


def test_a_deleted_document_may_be_remembered_and_a_retired_chunk_may_wait_for_nothing() -> None:
    changed = without_point("A-2")(without_point("A-1")(with_document(0, state="deleted", is_deleted=True)(sound())))
    gone = replace(changed, chunks=[chunk for chunk in changed.chunks if chunk.document == "B"])
    assert judge_rest({"b.py": TEXT}, gone) == []


def test_an_empty_file_is_there_without_a_chunk() -> None:
    empty = replace(document("A", "a.py"), text=b"")
    assert judge_rest({"a.py": b""}, Stores(documents=[empty])) == []


@pytest.fixture
def history() -> History:
    """Of one file, which was changed in two places at once, and then back: A, B, A."""
    made = History()
    for content in (OLDER, TEXT, OLDER):
        made.record("a.py", content)
    return made


def hit(start: int, end: int, text: str) -> Hit:
    return Hit("a.py", start, end, text)


def test_an_answer_from_any_one_revision_is_in_order(history: History) -> None:
    for second, fourth in (("two", "four"), ("TWO", "FOUR")):
        assert judge_answer(history, [hit(1, 2, f"one\n{second}\n"), hit(3, 4, f"three\n{fourth}\n")]) == []


@pytest.mark.parametrize(
    "hits",
    [
        [hit(1, 2, "one\ntwo\n"), hit(3, 4, "three\nFOUR\n")],
        [hit(1, 2, "one\nnever\n")],
        [hit(2, 3, "one\ntwo\n")],
        [Hit("never.py", 1, 1, "one\n")],
    ],
    ids=["two revisions", "a text that never was", "at other lines", "a file that never was"],
)
def test_an_answer_that_no_revision_holds_is_mixed(history: History, hits: list[Hit]) -> None:
    assert [violation.breach for violation in judge_answer(history, hits)] == [Breach.MIXED]


def test_a_chunk_that_is_found_twice_in_one_answer_is_a_breach(history: History) -> None:
    once = hit(1, 2, "one\ntwo\n")
    assert [violation.breach for violation in judge_answer(history, [once, once])] == [Breach.DUPLICATED]


def test_a_text_that_is_bought_again_for_no_reason_is_a_breach() -> None:
    bill = [Payment(("a", "b"), 0.0, 1.0), Payment(("b", "c"), 100.0, 101.0)]
    found, excused = judge_bill(bill, [Disturbance("too late", 50.0, 60.0)])
    assert [violation.breach for violation in found] == [Breach.PAID_TWICE]
    assert found[0].what.startswith("'b', 2 times")
    assert excused == 0


@pytest.mark.parametrize(
    ("earlier", "fault"),
    [
        (Payment(("a",), 0.0, 1.0, is_spoiled=True), Disturbance("elsewhere", 50.0, 51.0)),
        (Payment(("a",), 0.0, 9.0), Disturbance("in the middle of the call", 4.0, 4.0)),
        (Payment(("a",), 0.0, 1.0), Disturbance("before the commit", 3.0, 3.0)),
    ],
    ids=["the answer was spoiled", "the call was in flight", "its commit was in flight"],
)
def test_a_text_that_a_fault_had_in_flight_may_be_bought_again(earlier: Payment, fault: Disturbance) -> None:
    assert judge_bill([earlier, Payment(("a",), 100.0, 101.0)], [fault]) == ([], 1)


def test_the_checker_imports_nothing_of_the_product() -> None:
    ours = {"pipeline", "models", "tasks", "worker", "celeryconfig", "migrations"}
    for module in (facts, judge, stores):
        tree = ast.parse(Path(module.__file__).read_text())
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        named |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not {name.partition(".")[0] for name in named} & ours, module.__name__
