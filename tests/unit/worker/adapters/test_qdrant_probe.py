"""What an answer of Qdrant's means to a producer, before it accepts any work."""

from __future__ import annotations

import pytest

from pipeline.errors import BadCredentials, DimensionMismatch, IngestError, ServiceUnavailable
from pipeline.types import EmbeddingModel
from worker.adapters.qdrant_layout import require_fit
from worker.adapters.qdrant_probe import WrongAddress, _base, _judge_refusal

MODEL = EmbeddingModel("p", "m", 8)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://qdrant:6333", "http://qdrant:6333"),
        ("http://qdrant", "http://qdrant:6333"),
        ("https://qdrant.example/prefix/", "https://qdrant.example:6333/prefix"),
        ("qdrant:7000", "http://qdrant:7000"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://user:word@qdrant:1", "http://qdrant:1"),
    ],
)
def test_an_address_is_read_as_the_client_reads_it(url: str, base: str) -> None:
    assert _base(url) == base


@pytest.mark.parametrize("url", ["", "http://", "ftp://qdrant", "file:///etc/passwd", "http://q:port", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(WrongAddress):
        _base(url)


def test_a_collection_that_is_not_there_yet_is_fine() -> None:
    _judge_refusal(404, b'{"status": {"error": "Not found"}, "time": 0.0}')


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", BadCredentials),
        (403, b"{}", BadCredentials),
        (404, b"<html>", WrongAddress),
        (404, b"[]", WrongAddress),
        (404, b"{}", WrongAddress),
        (400, b'{"status": "x"}', WrongAddress),
        (429, b"", ServiceUnavailable),
        (503, b"", ServiceUnavailable),
    ],
)
def test_every_other_refusal_has_its_error(status: int, body: bytes, error: type[IngestError]) -> None:
    with pytest.raises(error):
        _judge_refusal(status, body)


def test_the_collection_of_the_model_fits() -> None:
    require_fit(MODEL, 8, "Cosine")


@pytest.mark.parametrize(
    ("dims", "distance", "held"),
    [(4, "Cosine", "4 dimensions"), (8, "Dot", r"8 dimensions \(Dot\)"), (None, None, "no vector named dense")],
)
def test_any_other_collection_is_a_mismatch_that_says_what_it_holds(
    dims: int | None, distance: str | None, held: str
) -> None:
    with pytest.raises(DimensionMismatch, match=f"holds {held}.*needs 8"):
        require_fit(MODEL, dims, distance)
