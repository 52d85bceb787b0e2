"""What the index is told is exactly the difference between a document's new chunks and its committed ones."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import TransientError
from pipeline.facts import ChunkFacts
from pipeline.header import embedding_input
from pipeline.identity import chunk_id, text_hash
from pipeline.sparse import SPARSE_VERSION, document_vector
from pipeline.types import Chunk, Claim, DocumentRef, Retirement, Scope, Stage, StoredPoint, Token
from pipeline.upsert import (
    CommittedChunk,
    DocumentPlan,
    ReadBackFailed,
    lost_moves,
    moves_of,
    payload_of,
    plan_document,
    points_of,
    verify_deleted,
    verify_written,
    versions_of,
    writes_like,
)

#: Ten bytes for each of two chunks.
TEXT = b"def one():def two():"

MODEL, OTHER_MODEL = UUID(int=1), UUID(int=2)
DOCUMENT = DocumentRef(UUID(int=3), "a.py", "python", 5, b"r" * 32, ("test",))
CLAIM = Claim(
    Token(UUID(int=4), Stage.UPSERT, 9), UUID(int=5), UUID(int=6), UUID(int=7), Scope(UUID(int=8), UUID(int=9)), 1
)


def chunk(name: str, ordinal: int = 0, line: int = 1) -> Chunk:
    digest = text_hash(name.encode())
    return Chunk(
        id=chunk_id(DOCUMENT.id, digest, 0),
        ordinal=ordinal,
        start=10 * ordinal,
        end=10 * ordinal + 10,
        start_line=line,
        end_line=line + 1,
        kind="function",
        name=name,
        scope=("K",),
        scope_signatures=("class K:",),
        defines=(name,),
        text_hash=digest,
        embed_hash=text_hash(b"header " + name.encode()),
        parent_start=10 * ordinal,
        parent_end=10 * ordinal + 10,
    )


def committed(each: Chunk, generation: int = 4, *, model: UUID = MODEL, is_retired: bool = False) -> CommittedChunk:
    return CommittedChunk(each, model, generation, is_retired)


def plan(chunks: list[Chunk], before: list[CommittedChunk], *, is_rewrite: bool = False) -> DocumentPlan:
    return plan_document(DOCUMENT, chunks, before, MODEL, is_rewrite=is_rewrite)


# --- the plan


def test_everything_of_a_new_document_is_written() -> None:
    chunks = [chunk("one"), chunk("two", 1, 3)]
    assert plan(chunks, []) == DocumentPlan(DOCUMENT, writes=tuple(chunks))


def test_what_is_the_same_costs_nothing() -> None:
    chunks = [chunk("one"), chunk("two", 1, 3)]
    assert plan(chunks, [committed(each) for each in chunks]) == DocumentPlan(DOCUMENT)


def test_what_is_gone_is_retired() -> None:
    one, two = chunk("one"), chunk("two", 1, 3)
    assert plan([one], [committed(one), committed(two)]) == DocumentPlan(DOCUMENT, retired=(two.id,))
    assert set(plan([], [committed(one), committed(two)]).retired) == {one.id, two.id}


@pytest.mark.parametrize(
    ("before"),
    [
        pytest.param(committed(chunk("one")._replace(embed_hash=b"e" * 32)), id="another embedding input"),
        pytest.param(committed(chunk("one"), model=OTHER_MODEL), id="another model"),
        pytest.param(committed(chunk("one"), is_retired=True), id="retired before"),
    ],
)
def test_a_chunk_needs_a_new_point_where_its_vector_or_its_point_is_not_there(before: CommittedChunk) -> None:
    assert plan([chunk("one")], [before]) == DocumentPlan(DOCUMENT, writes=(chunk("one"),))


@pytest.mark.parametrize(
    "change", [{"start_line": 7}, {"end_line": 9}, {"kind": "method"}, {"name": "n"}, {"scope": ("L",)}]
)
def test_a_chunk_whose_payload_changes_is_moved(change: dict[str, object]) -> None:
    before = committed(chunk("one")._replace(**change))
    assert plan([chunk("one")], [before]) == DocumentPlan(DOCUMENT, moves=(chunk("one"),))


@pytest.mark.parametrize(
    "change",
    [
        {"start": 7},
        {"end": 99},
        {"ordinal": 3},
        {"defines": ("other",)},
        {"parent_start": 1},
        {"parent_end": 99},
        {"facts": ChunkFacts(doc="other")},
    ],
)
def test_a_chunk_of_which_only_the_ledger_knows_the_change_is_shifted(change: dict[str, object]) -> None:
    before = committed(chunk("one")._replace(**change), generation=2)
    assert plan([chunk("one")], [before]) == DocumentPlan(DOCUMENT, shifts=((chunk("one"), 2),))


def test_after_a_generation_that_was_never_committed_everything_is_written_anew() -> None:
    one, two, gone = chunk("one"), chunk("two", 1, 3), chunk("gone", 2, 5)
    before = [committed(each) for each in (one, two, gone)]
    made = plan([one, two], before, is_rewrite=True)
    assert made == DocumentPlan(DOCUMENT, writes=(one, two), retired=(gone.id,))


def test_every_field_of_a_chunk_that_is_in_its_payload_or_vector_reaches_the_index_when_it_changes() -> None:
    """A field that is added to Chunk must be decided about here."""
    ledger_only = {"ordinal", "start", "end", "scope_signatures", "defines", "parent_start", "parent_end", "facts"}
    identity = {"id", "text_hash"}
    decided = ledger_only | identity | {"embed_hash", "kind", "name", "scope", "start_line", "end_line", "language"}
    assert set(Chunk._fields) == decided


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, names, st.booleans())
def test_afterwards_the_index_holds_exactly_the_new_chunks(old: list[str], new: list[str], gap: bool) -> None:
    before = [committed(chunk(name, ordinal, 2 * ordinal)) for ordinal, name in enumerate(old)]
    chunks = [chunk(name, ordinal, 2 * ordinal) for ordinal, name in enumerate(new)]
    made = plan(chunks, before, is_rewrite=gap)
    written, moved = {each.id for each in made.writes}, {each.id for each in made.moves}
    kept = {each.chunk.id for each in before} - set(made.retired)
    assert kept | written == {each.id for each in chunks}
    assert not written & moved
    assert moved <= kept
    assert not set(made.retired) & {each.id for each in chunks}
    lines = {each.chunk.id: each.chunk.start_line for each in before} | {
        each.id: each.start_line for each in (*made.writes, *made.moves)
    }
    assert all(lines[each.id] == each.start_line for each in chunks)


# --- what is sent


def test_points_carry_the_documents_generation_and_their_own_vector() -> None:
    one, two = chunk("one"), chunk("two", 1, 3)
    vectors = {one.embed_hash: b"1111", two.embed_hash: b"2222"}
    points = points_of(CLAIM, DocumentPlan(DOCUMENT, writes=(one, two)), vectors, TEXT)
    assert [(point.id, point.generation, point.vector) for point in points] == [
        (one.id, 5, b"1111"),
        (two.id, 5, b"2222"),
    ]
    with pytest.raises(KeyError):
        points_of(CLAIM, DocumentPlan(DOCUMENT, writes=(one,)), {}, TEXT)


def test_points_carry_the_words_of_what_the_embedder_was_given() -> None:
    one, two = chunk("one"), chunk("two", 1, 3)
    vectors = {one.embed_hash: b"", two.embed_hash: b""}
    points = points_of(CLAIM, DocumentPlan(DOCUMENT, writes=(one, two)), vectors, TEXT)
    assert [point.sparse for point in points] == [
        document_vector(embedding_input("a.py", ("class K:",), ("one",), "def one():")),
        document_vector(embedding_input("a.py", ("class K:",), ("two",), "def two():")),
    ]


@pytest.mark.parametrize(
    ("before", "now", "alike"),
    [
        ("header-1 sparse-1 p/m/8", "header-1 sparse-1 p/m/8", True),
        ("header-1 sparse-1 p/m/8", "header-2 sparse-1 p/m/8", True),
        ("header-1 sparse-1 p/m/8", "header-1 sparse-2 p/m/8", False),
        ("header-1 sparse-1 p/m/8", "header-1 sparse-11 p/m/8", False),
        ("header-1 p/m/8", "header-1 sparse-1 p/m/8", False),
        ("", "header-1 sparse-1 p/m/8", False),
    ],
)
def test_points_are_alike_where_their_sparse_vectors_are_of_one_version(before: str, now: str, alike: bool) -> None:
    assert writes_like(before, now) is alike


@pytest.mark.parametrize(
    ("made", "written", "recorded"),
    [
        ("chunker-1 sparse-1 p/m/8", "chunker-2 sparse-2 p/n/8", "chunker-1 sparse-2 p/n/8"),
        ("chunker-1 sparse-1 p/m/8", "chunker-1 sparse-1 p/m/8", "chunker-1 sparse-1 p/m/8"),
        ("", "chunker-1 sparse-1 p/m/8", "sparse-1 p/m/8"),
        ("versions-1", "versions-2", "versions-1"),
    ],
)
def test_what_chunks_are_is_the_makers_and_what_points_are_the_writers(made: str, written: str, recorded: str) -> None:
    assert versions_of(made, written) == recorded


def test_moves_carry_the_same_payload_that_a_new_point_would() -> None:
    one = chunk("one")
    (move,) = moves_of(CLAIM, DocumentPlan(DOCUMENT, moves=(one,)))
    (point,) = points_of(CLAIM, DocumentPlan(DOCUMENT, writes=(one,)), {one.embed_hash: b""}, TEXT)
    assert (move.id, move.generation, move.payload) == (point.id, point.generation, point.payload)


def test_embedded_code_is_found_by_its_own_language_and_by_its_documents() -> None:
    inner = chunk("one")._replace(language="javascript")
    assert payload_of(CLAIM.scope, CLAIM.source_id, DOCUMENT, inner)["language"] == ["javascript", "python"]


def test_a_chunk_whose_language_is_known_now_gets_a_new_payload_only() -> None:
    before, now = chunk("one"), chunk("one")._replace(language="javascript")
    made = plan([now], [committed(before)])
    assert (made.writes, made.moves) == ((), (now,))


def test_a_payload_says_where_the_chunk_is_and_what_it_was_made_from() -> None:
    one = chunk("one")
    assert payload_of(CLAIM.scope, CLAIM.source_id, DOCUMENT, one) == {
        "tenant": str(UUID(int=8)),
        "project": str(UUID(int=9)),
        "source": str(UUID(int=7)),
        "document": str(UUID(int=3)),
        "path": "a.py",
        "places": ["a.py"],
        "traits": ["test"],
        "language": "python",
        "kind": "function",
        "name": "one",
        "scope": ["K"],
        "start_line": 1,
        "end_line": 2,
        "generation": 5,
        "text_hash": one.text_hash.hex(),
        "embed_hash": one.embed_hash.hex(),
        "sparse": SPARSE_VERSION,
    }


def test_retirements_are_bound_to_generations_before_the_documents() -> None:
    assert DocumentPlan(DOCUMENT, retired=(MODEL,)).retirements == (Retirement(MODEL, 5),)


# --- read back


def stored(each: Chunk, generation: int) -> dict[UUID, StoredPoint]:
    return {each.id: StoredPoint(each.id, generation)}


@pytest.mark.parametrize(
    "made", [DocumentPlan(DOCUMENT, writes=(chunk("one"),)), DocumentPlan(DOCUMENT, moves=(chunk("one"),))]
)
def test_what_was_written_or_moved_must_read_back_at_its_generation_or_a_newer_one(made: DocumentPlan) -> None:
    verify_written([made], stored(chunk("one"), 5))
    verify_written([made], stored(chunk("one"), 6))
    for found in ({}, stored(chunk("one"), 4), stored(chunk("two"), 5)):
        with pytest.raises(ReadBackFailed):
            verify_written([made], found)


def test_what_moved_and_is_not_there_is_written_whole() -> None:
    here, gone, written = chunk("one"), chunk("two"), chunk("three")
    made = DocumentPlan(DOCUMENT, writes=(written,), moves=(here, gone), retired=(MODEL,))
    assert lost_moves([made], stored(here, 5)) == [DocumentPlan(DOCUMENT, writes=(gone,))]
    assert lost_moves([made], stored(here, 5) | stored(gone, 4)) == []


def test_what_was_not_touched_is_not_asked_for() -> None:
    verify_written([DocumentPlan(DOCUMENT, shifts=((chunk("one"), 2),), retired=(chunk("two").id,))], {})


def test_what_was_retired_must_be_gone_or_written_again_by_somebody_newer() -> None:
    one = chunk("one")
    retirements = [Retirement(one.id, 5)]
    verify_deleted(retirements, {})
    verify_deleted(retirements, stored(one, 5))
    with pytest.raises(ReadBackFailed):
        verify_deleted(retirements, stored(one, 4))


def test_a_failed_read_back_is_tried_again() -> None:
    assert issubclass(ReadBackFailed, TransientError)
