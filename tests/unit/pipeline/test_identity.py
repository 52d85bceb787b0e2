"""Ids and hashes depend on content alone, and would orphan every point if they ever changed."""

from __future__ import annotations

from uuid import UUID, uuid5

from pipeline.identity import NAMESPACE, chunk_id, document_id, embed_hash, model_id, revision_of, text_hash
from pipeline.types import EmbeddingModel

SOURCE = UUID(int=1)


def test_ids_are_what_they_have_always_been() -> None:
    document = document_id(SOURCE, "src/a.py")
    assert str(NAMESPACE) == "6d0b1057-16e5-5a11-8f2e-6d6f62697573"
    assert str(document) == "8efcd818-8dc0-546d-bb30-40ca684ce2ff"
    assert str(chunk_id(document, text_hash(b"text"), 0)) == "d3791bbd-655d-53ff-b82b-5c573d5d36d2"
    assert str(model_id("openai/text-embedding-3-small/1536")) == "dfec4a9a-9b11-594e-a5d6-f2d7a801ed87"


def test_hashes_are_sha256_of_the_bytes() -> None:
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert revision_of(b"hello").hex() == text_hash(b"hello").hex() == embed_hash("hello").hex() == digest


def test_a_chunks_id_is_the_name_based_uuid_of_its_document_hash_and_occurrence() -> None:
    for occurrence in (0, 7, 12_345):
        for document in (UUID(int=0), UUID(int=(1 << 128) - 1), document_id(SOURCE, "a")):
            body_hash = text_hash(str(document).encode())
            assert chunk_id(document, body_hash, occurrence) == uuid5(document, f"{body_hash.hex()}:{occurrence}")


def test_the_hash_of_a_text_is_that_of_its_bytes() -> None:
    assert embed_hash("größe") == embed_hash("größe".encode())


def test_everything_that_tells_chunks_apart_is_part_of_their_id() -> None:
    document, other = document_id(SOURCE, "a"), document_id(SOURCE, "b")
    ids = {
        chunk_id(document, text_hash(b"one"), 0),
        chunk_id(document, text_hash(b"one"), 1),
        chunk_id(document, text_hash(b"two"), 0),
        chunk_id(other, text_hash(b"one"), 0),
    }
    assert len(ids) == 4


def test_a_document_is_its_source_and_its_exact_path() -> None:
    paths = ["a", "A", "a/", "./a", "é", "e\u0301"]
    ids = {document_id(source, path) for source in (SOURCE, UUID(int=2)) for path in paths}
    assert len(ids) == 2 * len(paths)


def test_models_differ_by_provider_name_and_dimensions() -> None:
    models = [
        EmbeddingModel(provider, name, dims) for provider in ("p", "q") for name in ("m", "n") for dims in (8, 16)
    ]
    assert len({model_id(model.key) for model in models}) == len(models)
