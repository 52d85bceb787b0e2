"""Derive every id and hash from content, so that the same work done twice names the same things.

An edit elsewhere in a file keeps a chunk's id: it depends on the document, on the text of the chunk and, where the
same text stands more than once in the document, on which occurrence it is.
"""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

#: The root of all derived ids; changing it would orphan every point ever written.
NAMESPACE = UUID("6d0b1057-16e5-5a11-8f2e-6d6f62697573")

#: RFC 9562: the bits of a UUID that are its own, and those that say that it is one, of version 5.
_UUID_BITS = ~((0xF << 76) | (0x3 << 62))
_UUID5 = (5 << 76) | (0x2 << 62)


def revision_of(data: bytes) -> bytes:
    """Return the SHA-256 of a file's bytes: its revision."""
    return hashlib.sha256(data).digest()


def text_hash(body: bytes) -> bytes:
    """Return the SHA-256 of a chunk's text."""
    return hashlib.sha256(body).digest()


def embed_hash(embedding_input: str | bytes) -> bytes:
    """Return the SHA-256 of what the embedder is given (header and text), as text or in UTF-8."""
    data = embedding_input if isinstance(embedding_input, bytes) else embedding_input.encode()
    return hashlib.sha256(data).digest()


def document_id(source_id: UUID, path: str) -> UUID:
    """Return the id of the document at ``path`` (relative, ``/`` separated) in a source."""
    return uuid5(source_id, path)


def chunk_id(document: UUID, body_hash: bytes, occurrence: int) -> UUID:
    """Return the id of the ``occurrence``-th chunk (from 0) of ``document`` whose text has ``body_hash``."""
    # What uuid5(document, name) does, in a third of the time.
    digest = hashlib.sha1(b"%b%b:%d" % (document.bytes, body_hash.hex().encode(), occurrence), usedforsecurity=False)
    return UUID(int=int.from_bytes(digest.digest()[:16], "big") & _UUID_BITS | _UUID5)


def model_id(key: str) -> UUID:
    """Return the id of an embedding model from its key."""
    return uuid5(NAMESPACE, f"model:{key}")
