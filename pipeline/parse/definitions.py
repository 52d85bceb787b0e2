"""What a syntax node defines: kind, name and signature, also where the name stands outside the definition."""

from __future__ import annotations

import re
from typing import NamedTuple

import tree_sitter

from pipeline.parse.languages import Language

#: Characters. Longer names and signatures are cut; a minified line is no signature.
MAX_NAME = 120
MAX_SIGNATURE = 200

#: ``export const f = async () => {}`` needs four steps from the statement to the function.
_MAX_WRAPPERS = 6
#: Enough of a header for a signature, whatever its white space.
_HEADER_BYTES = 800

#: ``## Title ##``
_CLOSING_MARKS = re.compile(r"(^|\s+)#+$")


class Definition(NamedTuple):
    """What a node defines. ``inner`` is the span of the definition proper where the node only wraps it."""

    kind: str
    name: str
    signature: str
    inner: tuple[int, int] | None


def find_definition(
    node: tree_sitter.Node, data: bytes, language: Language, owner: str, large: int
) -> Definition | None:
    """Return what ``node`` defines, None if nothing that has a name.

    ``owner`` is the kind of the enclosing definition: a function in a class is a method, and a key inside another
    key is worth a name only above ``large`` bytes.
    """
    if node.type in language.headings:
        return _heading(node, data)
    if node.type in language.definitions:
        found, name = node, ""
    elif node.type in language.wrappers:
        unwrapped = _unwrap(node, data, language)
        if unwrapped is None:
            return None
        found, name = unwrapped
    else:
        return None
    kind = language.definitions.get(found.type) or language.values[found.type]
    if kind == "key" and owner == "key" and found.end_byte - found.start_byte <= large:
        return None
    name = _own_name(found, data) or name
    if not name:
        return None
    if kind == "function" and owner == "class":
        kind = "method"
    inner = None if found == node else (found.start_byte, found.end_byte)
    return Definition(kind, name, name if kind == "key" else _signature(node, found, data, language), inner)


def _unwrap(node: tree_sitter.Node, data: bytes, language: Language) -> tuple[tree_sitter.Node, str] | None:
    """Return the definition inside a wrapper and the name that the wrappers give it."""
    name = ""
    for _ in range(_MAX_WRAPPERS):
        wrapper = language.wrappers.get(node.type)
        if wrapper is None:
            break
        name = _field_text(node, wrapper.name, data) or name or wrapper.default
        inner = _wrapped(node, wrapper.inner)
        if inner is None:
            return None
        node = inner
    if node.type in language.definitions or node.type in language.values:
        return node, name
    return None


def _wrapped(node: tree_sitter.Node, fields: tuple[str, ...]) -> tree_sitter.Node | None:
    if not fields:
        return node.named_child(0) if node.named_child_count == 1 else None
    for field in fields:
        inner = node.child_by_field_name(field)
        if inner is not None:
            return inner
    return None


def _own_name(node: tree_sitter.Node, data: bytes) -> str:
    return _field_text(node, "name", data) or _field_text(node, "key", data)


def _field_text(node: tree_sitter.Node, field: str, data: bytes) -> str:
    found = node.child_by_field_name(field) if field else None
    if found is None:
        return ""
    return _clip(_text(data, found.start_byte, found.end_byte).strip("\"'"), MAX_NAME)


def _signature(node: tree_sitter.Node, found: tree_sitter.Node, data: bytes, language: Language) -> str:
    """Return the header on one line: from behind the decorators to the body, or to the end of the first line."""
    start = _first_code(node, language).start_byte
    body = found.child_by_field_name("body")
    if body is None:
        header = _text(data, start, found.end_byte).partition("\n")[0].partition("\r")[0]
    else:
        header = _text(data, start, _header_end(found, body, language))
    return _clip(header.rstrip(" \t\r\n:{"), MAX_SIGNATURE)


def _first_code(node: tree_sitter.Node, language: Language) -> tree_sitter.Node:
    """Return the first child that is neither decorator nor comment."""
    skipped = language.decorators | language.comments
    return next((child for child in node.children if child.type not in skipped), node)


def _header_end(found: tree_sitter.Node, body: tree_sitter.Node, language: Language) -> int:
    """Return where the header ends: before the comments in front of the body."""
    end = body.start_byte
    before = body.prev_sibling
    while before is not None and before.type in language.comments:
        end = before.start_byte
        before = before.prev_sibling
    return max(end, found.start_byte)


def _heading(node: tree_sitter.Node, data: bytes) -> Definition:
    """Return a heading as ``## Title``, in whichever style it is written."""
    name = _CLOSING_MARKS.sub("", _field_text(node, "heading_content", data))
    level = next((int(c) for child in node.children for c in child.type if c.isdigit()), 1)
    return Definition("heading", name, f"{'#' * level} {name}", None)


def _text(data: bytes, start: int, end: int) -> str:
    return data[start : min(end, start + _HEADER_BYTES)].decode("utf-8", "replace").replace("\0", "")


def _clip(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
