"""Every embedding is bought once, and what was paid for is kept whatever happens next."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from harness.shelf import CLAIM, Shelf, inputs, key

from pipeline.errors import BadCredentials, InputRejected, RateLimited, ServiceUnavailable, TransientError
from pipeline.stages import EmbeddingInput
from pipeline.testing import RecordingEmbedder, hashed_vector
from tasks import buying
from tasks.base import Halted, StageContext
from tasks.buying import BeingBoughtElsewhere, buy_embeddings

ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buying, "PATIENCE", 0.2)
    monkeypatch.setattr(buying, "_POLL", 0.001)


def bought(shop: StageContext) -> list[str]:
    assert isinstance(shop.embedder, RecordingEmbedder)
    return shop.embedder.bought


# --- buying


def test_what_is_missing_is_bought_and_kept(shop: StageContext, shelf: Shelf) -> None:
    assert buy_embeddings(shop, CLAIM, inputs("a", "b", "c")) == (3, [])
    assert shelf.vectors == {key(text): hashed_vector(text, 8) for text in "abc"}


def test_what_is_there_already_is_not_bought_again(shop: StageContext, shelf: Shelf) -> None:
    shelf.vectors[key("a")] = b"stored"
    assert buy_embeddings(shop, CLAIM, inputs("a", "b")) == (1, [])
    assert bought(shop) == ["b"]
    assert buy_embeddings(shop, CLAIM, inputs("a", "b")) == (0, [])
    assert bought(shop) == ["b"]


def test_nothing_to_buy_asks_nobody(shop: StageContext, shelf: Shelf) -> None:
    assert buy_embeddings(shop, CLAIM, {}) == (0, [])
    assert shelf.asked == []


def test_hashes_are_reserved_in_sorted_order(shop: StageContext, shelf: Shelf) -> None:
    buy_embeddings(shop, CLAIM, inputs("c", "a", "b"))
    assert shelf.asked == [[b"a", b"b", b"c"]]


def test_every_call_is_kept_for_itself(shop: StageContext, shelf: Shelf) -> None:
    buy_embeddings(shop, CLAIM, inputs(*"abcdefghij"))
    assert [len(reply.vectors) for reply in shelf.replies] == [4, 4, 2]


# --- what the provider refuses


def test_halving_a_refused_call_finds_the_one_text_and_buys_all_others_once(shop: StageContext, shelf: Shelf) -> None:
    shop.embedder.refused.add("poison")
    wanted = inputs("a", "b", "poison", "d") | inputs("e", "f", documents=(TWO,))
    wanted[key("poison")] = EmbeddingInput("poison", (ONE, THREE))
    count, failures = buy_embeddings(shop, CLAIM, wanted)
    assert count == 5
    assert sorted(bought(shop)) == ["a", "b", "d", "e", "f"]
    assert set(shelf.vectors) == set(wanted) - {key("poison")}
    assert [(failure.document_id, failure.error) for failure in failures] == [
        (ONE, "InputRejected"),
        (THREE, "InputRejected"),
    ]


def test_a_document_with_several_refused_inputs_fails_once(shop: StageContext) -> None:
    shop.embedder.refused |= {"poison", "venom"}
    _, failures = buy_embeddings(shop, CLAIM, inputs("poison", "venom", "b"))
    assert [failure.document_id for failure in failures] == [ONE]


def test_a_text_that_no_call_may_carry_is_not_sent_at_all(shop: StageContext, shelf: Shelf) -> None:
    large = RecordingEmbedder(replace(shop.embedder.model, max_input_tokens=5))
    count, (failure,) = buy_embeddings(replace(shop, embedder=large), CLAIM, inputs("a", "b" * 100))
    assert (count, failure.error) == (1, "InputRejected")
    assert large.bought == ["a"]


@pytest.mark.parametrize("spoiled", [{"poison"}, {"poison", "venom"}, {"poison", "venom", "first"}])
def test_texts_without_a_usable_vector_fail_and_nothing_is_bought_again(
    shop: StageContext, shelf: Shelf, spoiled: set[str]
) -> None:
    shop.embedder.spoiled |= spoiled
    wanted = inputs("first", "poison", "venom")
    count, (failure,) = buy_embeddings(shop, CLAIM, wanted)
    assert (count, failure.document_id, failure.error) == (3 - len(spoiled), ONE, "InputRejected")
    assert sorted(bought(shop)) == ["first", "poison", "venom"]
    assert set(shelf.vectors) == set(wanted) - {key(text) for text in spoiled}


# --- what goes wrong


@pytest.mark.parametrize(
    "error", [RateLimited(9.0), ServiceUnavailable("provider"), BadCredentials(), TransientError()]
)
def test_what_was_bought_before_an_error_is_kept(shop: StageContext, shelf: Shelf, error: Exception) -> None:
    shop.embedder.script.extend([None, error, None])
    with pytest.raises(type(error)) as caught:
        buy_embeddings(shop, CLAIM, inputs(*"abcdefghij"))
    assert caught.value is error
    assert set(shelf.vectors) == {key(text) for text in "abcdij"}, "the calls beside the one that failed"
    assert buy_embeddings(shop, CLAIM, inputs(*"abcdefghij")) == (4, [])
    assert sorted(bought(shop)) == sorted("abcdefghij")


def test_an_error_while_halving_keeps_what_was_bought(shop: StageContext, shelf: Shelf) -> None:
    shop.embedder.script.extend([InputRejected(), None, RateLimited(9.0)])
    with pytest.raises(RateLimited):
        buy_embeddings(shop, CLAIM, inputs(*"abcd"))
    assert set(shelf.vectors) == {key("a"), key("b")}


def test_a_refusal_that_was_found_before_an_error_is_kept(shop: StageContext, shelf: Shelf) -> None:
    """Else, where every call is followed by a hand-back, the same refusals would be met for ever."""
    shop.embedder.script.extend([InputRejected(), InputRejected(), None, InputRejected(), RateLimited(9.0)])
    with pytest.raises(RateLimited):
        buy_embeddings(shop, CLAIM, inputs(*"abcd"))
    assert set(shelf.vectors) == {key("c"), key("d")}
    assert [(failure.document_id, failure.error) for failure in shelf.rejected] == [(ONE, "InputRejected")]


def test_a_refusal_that_was_found_before_others_are_waited_for_is_kept(shop: StageContext, shelf: Shelf) -> None:
    shelf.elsewhere = {key("a")}
    shop.embedder.refused.add("poison")
    with pytest.raises(BeingBoughtElsewhere):
        buy_embeddings(shop, CLAIM, inputs("a", "poison"))
    assert [failure.document_id for failure in shelf.rejected] == [ONE]


def test_a_refusal_that_was_found_before_others_gave_up_is_kept(shop: StageContext, shelf: Shelf) -> None:
    """It is of the first purchase, and the error is of the second."""
    shelf.elsewhere = {key("a")}
    shelf.then = lambda: (shelf.elsewhere.clear(), shop.embedder.script.extend([None, RateLimited(9.0)]))
    shop.embedder.refused.add("poison")
    with pytest.raises(RateLimited):
        buy_embeddings(shop, CLAIM, inputs("a", "poison"))
    assert [failure.document_id for failure in shelf.rejected] == [ONE]


def test_an_error_without_a_refusal_records_nothing(shop: StageContext, shelf: Shelf) -> None:
    shop.embedder.script.append(RateLimited(9.0))
    with pytest.raises(RateLimited):
        buy_embeddings(shop, CLAIM, inputs("a"))
    assert shelf.rejected == []


# --- what others buy


def test_own_reservations_are_bought_before_others_are_waited_for(shop: StageContext, shelf: Shelf) -> None:
    shelf.elsewhere = {key("a")}
    with pytest.raises(BeingBoughtElsewhere):
        buy_embeddings(shop, CLAIM, inputs("a", "b"))
    assert bought(shop) == ["b"]
    assert shelf.asked[0] == [b"a", b"b"]
    assert set(map(tuple, shelf.asked[1:])) == {(b"a",)}, "only what is still missing is asked for again"


def test_what_another_slice_buys_in_time_is_not_bought_here(shop: StageContext, shelf: Shelf) -> None:
    shelf.elsewhere = {key("a")}
    shelf.then = lambda: len(shelf.asked) == 3 and shelf.vectors.update({key("a"): b"theirs"})
    assert buy_embeddings(shop, CLAIM, inputs("a", "b")) == (1, [])
    assert bought(shop) == ["b"]


def test_what_another_slice_gives_up_is_bought_here(shop: StageContext, shelf: Shelf) -> None:
    shelf.elsewhere = {key("a")}
    shelf.then = lambda: len(shelf.asked) == 3 and shelf.elsewhere.clear()
    assert buy_embeddings(shop, CLAIM, inputs("a", "b")) == (2, [])
    assert bought(shop) == ["b", "a"]


def test_waiting_for_another_slice_is_no_attempt() -> None:
    assert issubclass(BeingBoughtElsewhere, TransientError)


# --- pause and cancellation


def test_a_halted_stage_reserves_and_buys_nothing(shop: StageContext, shelf: Shelf) -> None:
    with pytest.raises(Halted):
        buy_embeddings(replace(shop, is_halted=lambda: True), CLAIM, inputs(*"abc"))
    assert shelf.asked == []
    assert shelf.replies == []


def test_calls_in_flight_are_kept_and_no_more_are_begun_when_a_stage_is_halted(
    shop: StageContext, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "_ROUND", 2)
    halted = replace(shop, is_halted=lambda: bool(shelf.replies))
    with pytest.raises(Halted):
        buy_embeddings(halted, CLAIM, inputs(*"abcdefghijklmnop"))
    assert len(shelf.replies) == 1, "the call that was under way, of four in two rounds"
    assert len(shelf.vectors) == 4
    assert buy_embeddings(shop, CLAIM, inputs(*"abcdefghijklmnop"))[0] == 12, "only what is missing is bought later"


def test_what_was_refused_is_recorded_before_a_halted_stage_stops(
    shop: StageContext, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "_ROUND", 1)
    single = RecordingEmbedder(replace(shop.embedder.model, max_inputs=1))
    single.refused.add("a")
    halted = replace(shop, embedder=single, is_halted=lambda: bool(shelf.vectors))
    with pytest.raises(Halted):
        buy_embeddings(halted, CLAIM, inputs(*"abc"))
    assert [failure.error for failure in shelf.rejected] == ["InputRejected"]
    assert set(shelf.vectors) == {key("b")}
