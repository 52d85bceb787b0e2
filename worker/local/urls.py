"""Show addresses without the passwords in them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

_HIDDEN = "***"


def masked(url: str) -> str:
    """Return the URL with its password hidden, and without its query, which may hold one too."""
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
    except ValueError:
        return _HIDDEN
    query = _HIDDEN if parts.query else ""
    return urlunsplit(parts._replace(netloc=f"{name}{colon}{_HIDDEN if colon else ''}{at}{place}", query=query))
