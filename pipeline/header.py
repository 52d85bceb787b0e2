"""What the embedder is given for a chunk: a short header that says where the code is, then the code itself.

The header holds the path, the signatures of the enclosing definitions and the names defined inside, and nothing that
changes when a neighbour is edited: no line numbers, no siblings, no imports. So an edit is paid for only where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Part of what a chunk's embed hash depends on; a new value embeds everything again.
HEADER_VERSION = 1

#: UTF-8 bytes. Long paths keep their end, scopes their innermost part, definitions their beginning.
MAX_PATH_BYTES = 200
MAX_SCOPE_BYTES = 240
MAX_DEFINES_BYTES = 120
#: With the labels and line ends, no header is longer.
MAX_HEADER_BYTES = 600

_ELLIPSIS = "..."


def embedding_input(path: str, scope_signatures: Sequence[str], defines: Sequence[str], body: str) -> str:
    """Return the header and ``body`` as one text of valid Unicode without NUL, at most 600 bytes above the body's."""
    lines = [f"# {_last(_line(path), MAX_PATH_BYTES)}"]
    if scope_signatures:
        lines.append(f"# in: {_last(_line(' > '.join(scope_signatures)), MAX_SCOPE_BYTES)}")
    if defines:
        lines.append(f"# defines: {_first(_line(', '.join(defines)), MAX_DEFINES_BYTES)}")
    lines.append(_sendable(body))
    return "\n".join(lines)


def _sendable(text: str) -> str:
    """Return text that every JSON reader takes: no NUL, no half of a surrogate pair."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


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
