"""What the embedder is given for a chunk: a short header that says where the code is, then the code itself.

The header holds the path, the signatures of the enclosing definitions and the names defined inside, and nothing that
changes when a neighbour is edited: no line numbers, no siblings, no imports. So an edit is paid for only where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

#: Part of what a chunk's embed hash depends on; a new value embeds everything again.
HEADER_VERSION = 1

#: UTF-8 bytes. Long paths keep their end, scopes their innermost part, definitions their beginning.
MAX_PATH_BYTES = 200
MAX_SCOPE_BYTES = 240
MAX_DEFINES_BYTES = 120
#: With the labels and line ends, no header is longer.
MAX_HEADER_BYTES = 600

_ELLIPSIS = "..."
_SCOPE = "# in: "
_DEFINES = "# defines: "


class Header(NamedTuple):
    """The lines of a header without their labels; empty where there is none."""

    path: str
    scope: str
    defines: str


def embedding_input(path: str, scope_signatures: Sequence[str], defines: Sequence[str], body: str) -> str:
    """Return the header and ``body`` as one text of valid Unicode without NUL, at most 600 bytes above the body's."""
    return _header(path, tuple(scope_signatures), defines) + _sendable(body)


def embedding_bytes(path: str, scope_signatures: tuple[str, ...], defines: Sequence[str], body: bytes) -> bytes:
    """Return what ``embedding_input`` does, in UTF-8, from a body in UTF-8: it is hashed more often than it is read."""
    return _header(path, scope_signatures, defines).encode() + body.replace(b"\0", b" ")


def _header(path: str, scope_signatures: tuple[str, ...], defines: Sequence[str]) -> str:
    header = _path_line(path) + _scope_line(scope_signatures)
    return f"{header}{_DEFINES}{_first(_line(', '.join(defines)), MAX_DEFINES_BYTES)}\n" if defines else header


# The chunks of one document come one after the other, and those of one class.
@lru_cache(maxsize=16)
def _path_line(path: str) -> str:
    return f"# {_last(_line(path), MAX_PATH_BYTES)}\n"


@lru_cache(maxsize=16)
def _scope_line(signatures: tuple[str, ...]) -> str:
    return f"{_SCOPE}{_last(_line(' > '.join(signatures)), MAX_SCOPE_BYTES)}\n" if signatures else ""


def split_header(text: str) -> tuple[Header, str]:
    """Return the header and the body that ``embedding_input`` joined; a body that begins like one is taken for it."""
    path, _, rest = text.partition("\n")
    scope, rest = _labelled(rest, _SCOPE)
    defines, body = _labelled(rest, _DEFINES)
    return Header(path.removeprefix("# "), scope, defines), body


def _labelled(text: str, label: str) -> tuple[str, str]:
    if not text.startswith(label):
        return "", text
    line, _, rest = text.partition("\n")
    return line.removeprefix(label), rest


def _sendable(text: str) -> str:
    """Return text that every JSON reader takes: no NUL, no half of a surrogate pair."""
    text = text.replace("\0", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _line(text: str) -> str:
    return " ".join(_sendable(text).split())


def _last(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    return _ELLIPSIS + data[len(_ELLIPSIS) - limit :].decode("utf-8", "ignore")


def _first(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - len(_ELLIPSIS)].decode("utf-8", "ignore") + _ELLIPSIS
