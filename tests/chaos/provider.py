"""An OpenAI-compatible provider that misbehaves for a while when told to, and keeps the bill."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.facts import Payment

from pipeline.testing.openai_stub import Fault, OpenAIStub
from pipeline.testing.vectors import hashed_numbers

#: Seconds that the product waits for an answer here; a hanging call takes longer.
PATIENCE = 5.0
DIMS = 32

#: Ways to misbehave.
FAULTS: Mapping[str, Fault] = {
    "429 storm": Fault(status=429, headers={"Retry-After": "1"}),
    "500s": Fault(status=500),
    "hang": Fault(delay=2 * PATIENCE),
    "connection reset": Fault(reset=True),
    "truncated JSON": Fault(cut=True),
    "wrong count": Fault(drop=1),
    "wrong dimensions": Fault(dims=DIMS - 1),
}

_FILE = re.compile(r"file_\d+")


class Provider(OpenAIStub):
    """The stub; what ``mood`` says is wrong with every answer. Chunks of one file are neighbours in its space."""

    def __init__(self, latency: float, record: Path | None = None) -> None:
        super().__init__(DIMS, latency=latency, record=record)
        self.mood = Fault()
        self.payments: list[Payment] = []

    def numbers(self, text: str, dims: int) -> Sequence[float]:
        """Put a text near all others that speak of the same file, so that a search finds all its chunks."""
        named = _FILE.search(text)
        own, family = hashed_numbers(text, dims), hashed_numbers(named.group() if named else text, dims)
        return [0.1 * mine + 0.9 * shared for mine, shared in zip(own, family, strict=True)]

    def answer(self, request: Mapping[str, Any], authorization: str) -> tuple[Fault, bytes]:
        """See `OpenAIStub`."""
        begun = time.monotonic()
        fault, body = super().answer(request, authorization)
        texts = request["input"]
        # A header precedes what is indexed; a query has none and is asked for again and again.
        if fault.status == 200 and not isinstance(texts, str) and texts[0].startswith("# "):
            is_spoiled = fault != Fault()
            self.payments.append(Payment(tuple(texts), begun, time.monotonic(), is_spoiled))
        return fault, body

    def _next_fault(self, inputs: Sequence[str], authorization: str) -> Fault:
        return self.mood
