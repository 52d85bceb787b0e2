"""The revisions are known without Alembic, and a strange one is refused by name."""

from __future__ import annotations

import pytest

from models import schema
from pipeline.errors import SchemaMismatch


def test_revisions_are_numbered_in_one_line() -> None:
    assert schema.known_revisions() == [f"{number:04}" for number in range(1, len(schema.known_revisions()) + 1)]


def test_a_revision_of_another_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(SchemaMismatch, match=r"schema 9999, .* Upgrade mobius-ingest, or point DATABASE_URL"):
        schema._refuse_unknown("9999")


def test_known_revisions_and_none_at_all_are_no_strangers() -> None:
    for revision in (None, *schema.known_revisions()):
        schema._refuse_unknown(revision)
