"""API keys: made of 256 random bits, shown once, stored as a hash, and confined to one tenant.

One round of SHA-256 is enough here, and a slow hash would only slow every request down: slow hashes make guessing
dear where people choose the secret, but nobody guesses 256 random bits, however fast the hash. The hash is looked up
by its index, so no secret is ever compared in a way whose duration says how much of it was right.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, text

from models.session import transaction
from pipeline.errors import MisconfiguredError

#: What a key begins with, so that people and secret scanners see what it is.
PREFIX = "mob_"
_RANDOM_BYTES = 32

_ADD_TENANT = text("INSERT INTO tenants (id, name) VALUES (:id, :tenant) ON CONFLICT (name) DO NOTHING")
_ADD = text(
    "INSERT INTO api_keys (id, tenant_id, name, key_hash) SELECT :id, t.id, :name, :hash FROM tenants t"
    " WHERE t.name = :tenant RETURNING created_at"
)
_LIST = text(
    "SELECT k.id, t.name, k.name, k.created_at, k.revoked_at FROM api_keys k JOIN tenants t ON t.id = k.tenant_id"
    " WHERE t.name = coalesce(CAST(:tenant AS text), t.name) ORDER BY k.created_at, k.id"
)
_REVOKE = text(
    "UPDATE api_keys k SET revoked_at = coalesce(k.revoked_at, now()), updated_at = now() FROM tenants t"
    " WHERE k.id = :id AND t.id = k.tenant_id RETURNING k.id, t.name, k.name, k.created_at, k.revoked_at"
)
_OWNER = text(
    "SELECT t.id, t.name, k.id FROM api_keys k JOIN tenants t ON t.id = k.tenant_id"
    " WHERE k.key_hash = :hash AND k.revoked_at IS NULL"
)


class UnknownKey(MisconfiguredError):
    """There is no such key; `mobius keys list` shows the ids of all keys."""


@dataclass(frozen=True, slots=True)
class KeyLine:
    """What may be shown of a key: everything but the key."""

    key_id: UUID
    tenant: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment when it can be read. ``is_new_tenant``: its tenant was made with it."""

    line: KeyLine
    secret: str
    is_new_tenant: bool


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom a valid key stands for."""

    tenant_id: UUID
    tenant: str
    key_id: UUID


class Keys:
    """Makes, lists and revokes keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, tenant: str, name: str) -> NewKey:
        """Make a key; the tenant is made too where it is new."""
        secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        key_id = uuid4()
        values = {"id": key_id, "tenant": tenant, "name": name, "hash": key_hash(secret)}
        with transaction(self._engine) as connection:
            is_new_tenant = connection.execute(_ADD_TENANT, {"id": uuid4(), "tenant": tenant}).rowcount == 1
            created_at = connection.execute(_ADD, values).scalar_one()
        return NewKey(KeyLine(key_id, tenant, name, created_at, None), secret, is_new_tenant)

    def list(self, tenant: str | None = None) -> list[KeyLine]:
        """Return all keys, or those of one tenant, oldest first; revoked ones too."""
        with transaction(self._engine) as connection:
            return [KeyLine(*row) for row in connection.execute(_LIST, {"tenant": tenant}).all()]

    def revoke(self, key_id: UUID) -> KeyLine:
        """Make a key worthless from now on; doing it twice changes nothing.

        Raises:
            UnknownKey: There is none of that id.
        """
        with transaction(self._engine) as connection:
            row = connection.execute(_REVOKE, {"id": key_id}).one_or_none()
        if row is None:
            raise UnknownKey(f"there is no key {key_id}; `mobius keys list` shows the ids of all keys.")
        return KeyLine(*row)


def key_hash(secret: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode()).digest()


def read_owner(connection: Connection, secret_hash: bytes) -> KeyOwner | None:
    """Return whom a key stands for; None if there is no such key or it was revoked."""
    row = connection.execute(_OWNER, {"hash": secret_hash}).one_or_none()
    return None if row is None else KeyOwner(*row)
