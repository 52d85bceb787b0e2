"""The embedder can be used as far as that is seen without sending a text, and what was not checked is said."""

from __future__ import annotations

import pytest

from worker.doctor.embedder import ProviderSeen, judge
from worker.doctor.findings import Silence, Status


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (None, Status.OK, "nothing leaves this machine"),
        (ProviderSeen("http://p", 200, frozenset({"m", "n"})), Status.OK, "no text was sent"),
        (ProviderSeen("http://p", 200, frozenset({"n"})), Status.WARNING, "MOBIUS_OPENAI_MODEL"),
        (ProviderSeen("http://p", 200, None), Status.OK, "neither key nor model is checked"),
        (ProviderSeen("http://p", 404, None), Status.OK, "neither key nor model is checked"),
        (ProviderSeen("http://p", 401, None), Status.PROBLEM, "OPENAI_API_KEY"),
        (ProviderSeen("http://p", 403, None), Status.PROBLEM, "OPENAI_API_KEY"),
        (ProviderSeen("http://p", 429, None), Status.WARNING, "slices wait"),
        (ProviderSeen("http://p", 503, None), Status.WARNING, "slices wait"),
        (Silence("it does not answer", "check OPENAI_BASE_URL"), Status.PROBLEM, "OPENAI_BASE_URL"),
    ],
)
def test_the_provider(seen: ProviderSeen | Silence | None, status: Status, words: str) -> None:
    finding = judge(seen, "m")
    assert finding.status is status
    assert words in f"{finding.found} {finding.advice}"
