"""One document's failure is its own: the others of the slice go on through parse, chunk and embedding inputs."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.chunk import KEPT_LEAF_BYTES, ChunkBudget, chunk
from pipeline.chunk_codec import unpack_chunks
from pipeline.errors import MalformedDocument
from pipeline.identity import embed_hash, revision_of
from pipeline.outline_codec import unpack_outline
from pipeline.parse.parser import parse
from pipeline.stages import chunk_documents, embedding_inputs, parse_documents
from pipeline.types import DocumentRef
from pipeline.work import ChunksMade, ChunkWork, EmbedWork, ParseWork

BUDGET = ChunkBudget(max_bytes=40, target_bytes=16)
TEXT = b"def one():\n    return 1\ndef two():\n    return 2\n"
BINARY = b"\x00\x01\xff\xfe\x00"


def ref(number: int, data: bytes, language: str = "python") -> DocumentRef:
    return DocumentRef(UUID(int=number), f"{number}.py", language, 1, revision_of(data))


def chunked(number: int, data: bytes, language: str = "python") -> tuple[EmbedWork, ChunksMade]:
    """Return the work of the embed stage for a document, by way of the two stages before."""
    document = ref(number, data, language)
    (made,), _ = parse_documents([ParseWork(document, data)])
    (chunks,), _ = chunk_documents([ChunkWork(document, data, made.packed)], BUDGET, "versions-1")
    return EmbedWork(document, data, chunks.encoding, chunks.packed), chunks


# --- parse


def test_every_revision_gets_an_outline_with_its_count() -> None:
    (made,), failures = parse_documents([ParseWork(ref(1, TEXT), TEXT)])
    outline = unpack_outline(made.packed)
    assert failures == []
    assert (made.revision, made.language) == (revision_of(TEXT), "python")
    assert (len(outline.nodes), outline.length) == (made.nodes, len(TEXT))


def test_documents_with_the_same_bytes_share_an_outline_unless_their_language_differs() -> None:
    work = [ParseWork(ref(1, TEXT), TEXT), ParseWork(ref(2, TEXT), TEXT), ParseWork(ref(3, TEXT, "text"), TEXT)]
    made, failures = parse_documents(work)
    assert [(each.revision, each.language) for each in made] == [
        (revision_of(TEXT), "python"),
        (revision_of(TEXT), "text"),
    ]
    assert failures == []


def test_a_document_that_cannot_be_parsed_fails_alone() -> None:
    made, failures = parse_documents([ParseWork(ref(1, BINARY), BINARY), ParseWork(ref(2, TEXT), TEXT)])
    assert [each.revision for each in made] == [revision_of(TEXT)]
    assert [(each.document_id, each.error) for each in failures] == [(UUID(int=1), "UnsupportedMediaType")]
    assert failures[0].message


def test_equal_broken_documents_fail_each() -> None:
    work = [ParseWork(ref(number, BINARY), BINARY) for number in (1, 2)]
    _, failures = parse_documents(work)
    assert [failure.document_id for failure in failures] == [UUID(int=1), UUID(int=2)]


def test_a_deletion_has_nothing_to_parse() -> None:
    document = DocumentRef(UUID(int=1), "a", "text", 2, None)
    assert parse_documents([ParseWork(document, b"")]) == ([], [])


# --- chunk


def test_chunks_are_packed_with_their_count_and_encoding() -> None:
    _, chunks = chunked(1, TEXT)
    assert chunks.count == 2
    assert chunks.encoding == "utf-8"
    assert [each.name for each in unpack_chunks(chunks.document, chunks.packed).chunks] == ["one", "two"]


def test_an_empty_document_has_a_chunk_set_of_none() -> None:
    _, chunks = chunked(1, b"")
    assert chunks.count == 0
    assert unpack_chunks(chunks.document, chunks.packed).chunks == ()


@pytest.mark.parametrize("budget", [BUDGET, ChunkBudget()])
def test_without_its_outline_a_document_is_parsed_again(budget: ChunkBudget) -> None:
    document = ref(1, TEXT)
    (with_it,), _ = chunk_documents([ChunkWork(document, TEXT, chunked_outline())], budget, "versions-1")
    (without,), _ = chunk_documents([ChunkWork(document, TEXT, None)], budget, "versions-1")
    assert with_it == without


def test_a_budget_that_kept_outlines_are_too_coarse_for_has_files_parsed_again() -> None:
    inner = b"    def inner():\n" + b"        return 1\n" * 20
    text = (b"def outer():\n" + inner * 2 + b"    return inner\n") * 3
    assert 600 < len(text) / 3 < KEPT_LEAF_BYTES
    (made,), _ = parse_documents([ParseWork(ref(1, text), text)])
    budget = ChunkBudget(600, 600)
    (chunks,), _ = chunk_documents([ChunkWork(ref(1, text), text, made.packed)], budget, "versions-1")
    fine = chunk(ref(1, text), text, parse(text, "python"), budget)
    assert unpack_chunks(chunks.document, chunks.packed).chunks == fine.chunks
    coarse = chunk(ref(1, text), text, unpack_outline(made.packed), budget)
    assert coarse.chunks != fine.chunks


def chunked_outline() -> bytes:
    (made,), _ = parse_documents([ParseWork(ref(1, TEXT), TEXT)])
    return made.packed


@pytest.mark.parametrize("outline", [b"damaged", chunked_outline()])
def test_an_outline_that_is_damaged_or_of_another_text_fails_its_document_alone(outline: bytes) -> None:
    other = TEXT + b"# more\n"
    work = [ChunkWork(ref(1, other), other, outline), ChunkWork(ref(2, TEXT), TEXT, chunked_outline())]
    made, failures = chunk_documents(work, ChunkBudget(), "versions-1")
    assert [each.document.id for each in made] == [UUID(int=2)]
    assert [(each.document_id, each.error) for each in failures] == [(UUID(int=1), "MalformedDocument")]


# --- embedding inputs


def test_inputs_carry_a_header_and_the_chunks_own_text_under_its_hash() -> None:
    work, _ = chunked(1, TEXT)
    inputs = embedding_inputs([work])
    assert [each.text.split("\n", 1)[0] for each in inputs.values()] == ["# 1.py", "# 1.py"]
    assert [each.text.endswith("    return 1\n") for each in inputs.values()] == [True, False]
    assert all(embed_hash(each.text) == key for key, each in inputs.items())


def test_an_input_that_several_documents_need_names_all_of_them_once() -> None:
    text = b"same\n"
    one = EmbedWork(*as_path(chunked(1, text * 3, "text")[0], "same.txt"))
    two = EmbedWork(*as_path(chunked(2, text * 3, "text")[0], "same.txt"))
    inputs = embedding_inputs([one, two, one])
    assert [each.documents for each in inputs.values()] == [(UUID(int=1), UUID(int=2))] * len(inputs)


def as_path(work: EmbedWork, path: str) -> tuple[DocumentRef, bytes, str, bytes]:
    """Return the work of a document at another path, with the chunks that it has there."""
    document = DocumentRef(work.document.id, path, "text", 1, work.document.revision)
    (chunks,), _ = chunk_documents([ChunkWork(document, work.data, None)], BUDGET, "versions-1")
    return document, work.data, chunks.encoding, chunks.packed


def test_text_that_is_not_utf8_is_cut_where_its_chunks_were_cut() -> None:
    data = "größe = 1\n".encode("utf-16")
    work, _ = chunked(1, data, "text")
    (found,) = embedding_inputs([work]).values()
    assert found.text.endswith("größe = 1\n")


def test_damaged_chunks_stop_the_stage_instead_of_passing_for_fewer() -> None:
    work, _ = chunked(1, TEXT)
    damaged = EmbedWork(work.document, work.data, work.encoding, b"damaged")
    with pytest.raises(MalformedDocument):
        embedding_inputs([damaged])
