"""Keys are shown once, stored as hashes, confined to a tenant, and worthless once revoked."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import pytest
from harness.bench import Bench

from models.keys import KeyOwner, Keys, UnknownKey, key_hash, read_owner


@pytest.fixture
def keys(bench: Bench) -> Keys:
    return Keys(bench.engine)


def owner(bench: Bench, secret: str) -> KeyOwner | None:
    with bench.engine.begin() as connection:
        return read_owner(connection, key_hash(secret))


def test_a_key_opens_its_tenant_and_is_nowhere_in_the_database(bench: Bench, keys: Keys) -> None:
    made = keys.create("tenant", "ci")
    found = owner(bench, made.secret)
    assert found is not None
    assert (found.tenant, found.tenant_id, found.key_id) == (
        "tenant",
        bench.source.scope.tenant_id,
        made.line.key_id,
    )
    (row,) = bench.table("api_keys")
    assert row["key_hash"] == hashlib.sha256(made.secret.encode()).digest()
    assert made.secret not in str(row)


def test_keys_are_long_marked_and_never_the_same(keys: Keys) -> None:
    secrets = {keys.create("tenant", "same name").secret for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("mob_") and len(secret) == 47 for secret in secrets)


def test_a_new_tenant_is_made_with_its_first_key(bench: Bench, keys: Keys) -> None:
    assert not keys.create("tenant", "a").is_new_tenant
    assert keys.create("new one", "a").is_new_tenant
    assert not keys.create("new one", "b").is_new_tenant
    assert [row["name"] for row in bench.table("tenants")].count("new one") == 1


def test_the_list_shows_everything_but_the_key(keys: Keys) -> None:
    first, second = keys.create("tenant", "one"), keys.create("other", "two")
    assert keys.list() == [first.line, second.line]
    assert keys.list("other") == [second.line]
    assert keys.list("nobody") == []
    assert first.secret not in repr(keys.list())


def test_a_revoked_key_opens_nothing_and_stays_revoked_since_the_first_time(bench: Bench, keys: Keys) -> None:
    made, other = keys.create("tenant", "one"), keys.create("tenant", "two")
    since = keys.revoke(made.line.key_id).revoked_at
    assert since is not None
    assert owner(bench, made.secret) is None
    assert owner(bench, other.secret) is not None
    assert keys.revoke(made.line.key_id).revoked_at == since
    assert keys.list()[0].revoked_at == since


def test_an_unknown_id_is_refused_with_where_to_look(keys: Keys) -> None:
    with pytest.raises(UnknownKey, match="mobius keys list"):
        keys.revoke(uuid4())


@pytest.mark.parametrize("guess", ["", "mob_", "mob_guess", "\0", "ü"])
def test_a_guess_opens_nothing(bench: Bench, keys: Keys, guess: str) -> None:
    keys.create("tenant", "one")
    assert owner(bench, guess) is None
