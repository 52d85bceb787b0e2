"""A process begins on a database that has at least its schema; one that does not answer is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import schema
from pipeline.errors import SchemaMismatch, ServiceUnavailable
from worker.starting import await_schema


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str | ServiceUnavailable | None) -> Iterator[object]:
    """Let the database answer so, one after the other; return what is left of the answers."""
    left = iter(answers)

    def current_revision(_url: str) -> str | None:
        answer = next(left)
        if isinstance(answer, ServiceUnavailable):
            raise answer
        return answer

    monkeypatch.setattr(schema, "current_revision", current_revision)
    return left


@pytest.mark.parametrize("revision", [schema.known_revisions()[-1], "9999"])
def test_a_database_that_does_not_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    away = ServiceUnavailable("Postgres")
    left = answering(monkeypatch, away, away, revision)
    await_schema("postgresql://", pause=0.0)
    assert list(left) == []


@pytest.mark.parametrize("revision", [None, "0001"])
def test_an_older_schema_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, revision: str | None) -> None:
    answering(monkeypatch, revision)
    with pytest.raises(SchemaMismatch, match="run `mobius migrate`"):
        await_schema("postgresql://", pause=0.0)
