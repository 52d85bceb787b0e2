"""A text is given up only where others are bought; a provider that works for nobody costs no document anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from harness.shelf import CLAIM, Shelf, inputs, key

from pipeline.errors import RateLimited, ServiceUnavailable, TransientError
from pipeline.stages import EmbeddingInput
from pipeline.testing import RecordingEmbedder
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingReply, Failure, Vector
from tasks.base import StageContext
from tasks.buying import buy_embeddings
from tasks.refusals import HARMLESS, EverythingRefused
from tasks.suspects import REFUSE_AFTER, SPLIT_AFTER


class Thrifty(RecordingEmbedder):
    """Lets one call through per ``turn``; a call that failed is denied its second try, as by a tight budget."""

    has_turn = True

    def embed(
        self, calls: Sequence[EmbeddingCall], is_halted: Callable[[], bool] = lambda: False
    ) -> Iterator[EmbeddingReply | EmbeddingFault]:
        for outcome in super().embed(list(calls)[: int(self.has_turn)], is_halted):
            is_failed = isinstance(outcome, EmbeddingFault) and isinstance(outcome.error, ServiceUnavailable)
            yield EmbeddingFault(outcome.call, RateLimited(1.0, status=500)) if is_failed else outcome
        for call in list(calls)[int(self.has_turn) :]:
            yield EmbeddingFault(call, RateLimited(1.0))
        self.has_turn = False

    def embed_query(self, text: str) -> Vector:
        if not self.has_turn:
            raise RateLimited(1.0)
        self.has_turn = False
        return super().embed_query(text)


def rounds(shop: StageContext, shelf: Shelf, wanted: dict[bytes, EmbeddingInput], most: int) -> list[Failure]:
    """Buy, be handed back, and buy again, as the stage does, until it is done; return what failed."""
    failed: set[UUID] = set()
    for _ in range(most):
        left = {key: each for key, each in wanted.items() if not failed & set(each.documents)}
        try:
            return shelf.rejected + buy_embeddings(shop, CLAIM, left)[1]
        except TransientError:
            failed |= {failure.document_id for failure in shelf.rejected}
            if isinstance(shop.embedder, Thrifty):
                shop.embedder.has_turn = True
    raise AssertionError("it never ended")


def apart(*texts: str) -> dict[bytes, EmbeddingInput]:
    """Return inputs, each of a document of its own."""
    return {key(text): EmbeddingInput(text, (UUID(int=number),)) for number, text in enumerate(texts)}


TEXTS = [f"text {number:02}" for number in range(30)]


@pytest.mark.parametrize("poisons", [[7], [0, 29], [8, 9, 10], list(range(0, 30, 2))], ids=len)
@pytest.mark.parametrize("max_inputs", [1, 4, 256])
def test_texts_that_the_provider_always_fails_at_are_given_up_and_all_others_bought_once(
    shop: StageContext, shelf: Shelf, poisons: list[int], max_inputs: int
) -> None:
    embedder = RecordingEmbedder(replace(shop.embedder.model, max_inputs=max_inputs))
    embedder.failing |= {TEXTS[number] for number in poisons}
    failures = rounds(replace(shop, embedder=embedder), shelf, apart(*TEXTS), most=20)
    assert sorted(failure.document_id.int for failure in failures) == poisons
    assert {failure.error for failure in failures} == {"InputRejected"}
    assert "answers with status 500 whenever" in failures[0].message
    assert sorted(embedder.bought) == [text for text in TEXTS if text not in embedder.failing]


def test_a_text_is_failed_at_often_before_it_is_given_up(shop: StageContext, shelf: Shelf) -> None:
    shop.embedder.failing.add("poison")
    rounds(shop, shelf, inputs("poison"), most=20)
    assert len(shop.embedder.calls) == REFUSE_AFTER
    assert len(shop.embedder.queries) == REFUSE_AFTER - 1, "evidence between each two"


def test_neighbours_do_not_wait_for_the_text_that_the_provider_fails_at(shop: StageContext, shelf: Shelf) -> None:
    shop.embedder.failing.add("poison")
    with pytest.raises(ServiceUnavailable):
        buy_embeddings(shop, CLAIM, inputs("poison", *"abcdefghij"))
    assert set(shelf.vectors) == {key(text) for text in "abcdefgh"}
    for _ in range(SPLIT_AFTER):
        with pytest.raises(ServiceUnavailable):
            buy_embeddings(shop, CLAIM, inputs("poison", *"abcdefghij"))
    assert set(shelf.vectors) == {key(text) for text in "abcdefghij"}


@pytest.mark.parametrize("wanted", [TEXTS, TEXTS[:1]], ids=len)
def test_an_outage_costs_no_text_however_long_it_lasts_and_whatever_is_answered(
    shop: StageContext, shelf: Shelf, wanted: list[str]
) -> None:
    for _ in range(3):
        shop.embedder.failing.add("")  # it is in every text
        for _ in range(20):
            with pytest.raises(ServiceUnavailable):
                buy_embeddings(shop, CLAIM, inputs(*wanted))
        shop.embedder.failing.clear()
        assert buy_embeddings(shop, CLAIM, inputs("in between"))[1] == []
    assert buy_embeddings(shop, CLAIM, inputs(*wanted)) == (len(wanted), [])
    assert shelf.rejected == []


def test_a_service_that_is_away_is_never_held_against_a_text(shop: StageContext, shelf: Shelf) -> None:
    for number in range(20):
        shop.embedder.script.append(ServiceUnavailable("provider"))
        with pytest.raises(ServiceUnavailable):
            buy_embeddings(shop, CLAIM, inputs("a"))
        buy_embeddings(shop, CLAIM, inputs(f"other {number}"))
    assert buy_embeddings(shop, CLAIM, inputs("a")) == (1, [])


@pytest.mark.parametrize("count", [1, 8])
def test_a_budget_of_one_call_at_a_time_still_finds_the_text_that_the_provider_fails_at(
    shop: StageContext, shelf: Shelf, count: int
) -> None:
    embedder = Thrifty(replace(shop.embedder.model, max_inputs=4))
    embedder.failing.add(TEXTS[0])
    failures = rounds(replace(shop, embedder=embedder), shelf, apart(*TEXTS[:count]), most=60)
    assert [failure.document_id.int for failure in failures] == [0]
    assert sorted(embedder.bought) == TEXTS[1:count]


@pytest.mark.parametrize("kind", ["refused", "spoiled"])
@pytest.mark.parametrize("count", [1, 30])
def test_a_provider_that_refuses_everything_is_a_matter_for_the_operator_and_fails_no_document(
    shop: StageContext, shelf: Shelf, kind: str, count: int
) -> None:
    getattr(shop.embedder, kind).add("")
    with pytest.raises(EverythingRefused, match="OPENAI_API_KEY"):
        buy_embeddings(shop, CLAIM, inputs(*TEXTS[:count]))
    calls = len(shop.embedder.calls)
    for _ in range(10):
        with pytest.raises(EverythingRefused):
            buy_embeddings(shop, CLAIM, inputs(*TEXTS[:count]))
    assert sum(len(call.inputs) for call in shop.embedder.calls[calls:]) == 10, "one text at a time"
    assert shelf.rejected == []
    getattr(shop.embedder, kind).clear()
    assert buy_embeddings(shop, CLAIM, inputs(*TEXTS[:count])) == (count, [])


def test_a_provider_that_begins_to_refuse_everything_fails_no_document(shop: StageContext, shelf: Shelf) -> None:
    buy_embeddings(shop, CLAIM, inputs("a"))
    shop.embedder.refused.add("")
    with pytest.raises(EverythingRefused):
        buy_embeddings(shop, CLAIM, inputs("b"))
    assert shelf.rejected == []


def test_a_refusal_that_nobody_can_confirm_now_is_met_again(shop: StageContext, shelf: Shelf) -> None:
    embedder = Thrifty(shop.embedder.model)
    embedder.refused.add("poison")
    failures = rounds(replace(shop, embedder=embedder), shelf, inputs("poison"), most=6)
    assert [failure.error for failure in failures] == ["InputRejected"]


def test_a_provider_that_refuses_even_what_is_harmless_stops_nobody_else(shop: StageContext) -> None:
    shop.embedder.refused |= {HARMLESS, "poison"}
    with pytest.raises(EverythingRefused):
        buy_embeddings(shop, CLAIM, inputs("poison"))
    assert buy_embeddings(shop, CLAIM, inputs(*"abcdef")) == (6, [])
    assert len(buy_embeddings(shop, CLAIM, inputs("poison"))[1]) == 1, "others were bought since"
