"""The fake's leases behave as the ledger's do."""

from __future__ import annotations

from uuid import uuid4

import pytest

from pipeline.errors import ServiceUnavailable
from pipeline.testing import FakeLeases
from pipeline.types import Claim, Stage, Token

TOKEN = Token(uuid4(), Stage.PARSE, 1)


@pytest.fixture
def leases() -> FakeLeases:
    made = FakeLeases()
    made.offer(TOKEN, attempts=2)
    return made


def claim(leases: FakeLeases) -> Claim:
    found = leases.claim(TOKEN, "host:1", 60.0)
    assert found is not None
    return found


def test_a_token_is_good_once(leases: FakeLeases) -> None:
    assert claim(leases).attempts == 3
    assert leases.claim(TOKEN, "host:1", 60.0) is None


def test_a_claim_that_was_taken_over_is_neither_extended_nor_handed_back(leases: FakeLeases) -> None:
    held = claim(leases)
    assert leases.extend(held, 60.0)
    leases.take_over(held)
    assert not leases.extend(held, 60.0)
    assert not leases.hand_back(held, "Error", "", 0.0, forgive=False)
    assert (leases.extended, leases.handed_back) == (1, [])


def test_a_slice_is_handed_back_once(leases: FakeLeases) -> None:
    held = claim(leases)
    assert leases.hand_back(held, "Error", "why", 3.0, forgive=False)
    assert not leases.hand_back(held, "Error", "why", 3.0, forgive=False)
    assert len(leases.handed_back) == 1


def test_every_call_raises_the_fault_while_it_is_set(leases: FakeLeases) -> None:
    held = claim(leases)
    leases.fault = ServiceUnavailable("Postgres")
    attempts = [
        lambda: leases.claim(TOKEN, "host:1", 60.0),
        lambda: leases.extend(held, 60.0),
        lambda: leases.hand_back(held, "Error", "", 0.0, forgive=True),
    ]
    for attempt in attempts:
        with pytest.raises(ServiceUnavailable):
            attempt()
    leases.fault = None
    assert leases.extend(held, 60.0)
