"""Which names tenants, projects, sources and keys may have, wherever they come from."""

from __future__ import annotations

#: PostgreSQL's limit for an indexed value is 2,704 bytes; a source may be named by a path, the others by hand.
MAX_BYTES = 200
MAX_SOURCE_BYTES = 2_000


def fault_of(name: str, limit: int = MAX_BYTES) -> str:
    """Return what is wrong with a name: made from an empty variable, binary, or endless; empty if it can be one."""
    if not name.strip():
        return "it is empty; leave it out for the default"
    if not name.isprintable():
        return "it holds control characters or is not valid UTF-8"
    if len(name.encode()) > limit:
        return f"it is longer than {limit:,} bytes"
    return ""
