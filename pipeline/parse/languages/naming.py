"""How a definition is called where its grammar has no field for that."""

from __future__ import annotations

import re

import tree_sitter

from pipeline.parse.languages.entry import Naming

#: No declarator that a person wrote nests deeper.
_MAX_DECLARATORS = 16
#: Enough for a name, whatever its white space.
_NAME_BYTES = 400

_ID = re.compile(r"""\sid\s*=\s*["']?([^\s"'>]+)""", re.IGNORECASE)
_TAG = re.compile(r"<([\w:.-]+)")
_TYPE_ARGUMENTS = re.compile(r"[\[<].*", re.DOTALL)
_INNER_ARGUMENTS = re.compile(r"<[^<>]*>")


def field(*names: str) -> Naming:
    """Name a node by the first of these fields that it has."""

    def named(node: tree_sitter.Node, data: bytes) -> str:
        for name in names:
            found = node.child_by_field_name(name)
            if found is not None:
                return _text(found, data)
        return ""

    return named


def bare(naming: Naming) -> Naming:
    """Leave out the type arguments of a name: all of ``Store<T>`` is one type."""

    def named(node: tree_sitter.Node, data: bytes) -> str:
        return _TYPE_ARGUMENTS.sub("", naming(node, data))

    return named


def child(*types: str) -> Naming:
    """Name a node by its first child of one of these types."""

    def named(node: tree_sitter.Node, data: bytes) -> str:
        return next((_text(found, data) for found in node.named_children if found.type in types), "")

    return named


def header(*bodies: str) -> Naming:
    """Name a node by what stands in front of its body, a child of one of these types; without one it has no name."""

    def named(node: tree_sitter.Node, data: bytes) -> str:
        body = next((found for found in node.named_children if found.type in bodies), None)
        return "" if body is None else _span(node.start_byte, body.start_byte, data)

    return named


def declarator(node: tree_sitter.Node, data: bytes) -> str:
    """Name what C declares: its name is inside of pointers, references, parameters and parentheses."""
    for _ in range(_MAX_DECLARATORS):
        inner: tree_sitter.Node | None = node.child_by_field_name("declarator")
        if inner is None and node.type.endswith("_declarator") and node.named_child_count:
            inner = node.named_child(node.named_child_count - 1)
        if inner is None:
            is_name = node.type.endswith(("identifier", "_name", "_cast", "_function"))
            return _unqualified(_text(node, data)) if is_name else ""
        node = inner
    return ""


def _unqualified(name: str) -> str:
    """Leave out the type arguments of ``Store<K, V>::get``; an operator is no bracket."""
    scope, colons, last = name.rpartition("::")
    shorter = _INNER_ARGUMENTS.sub("", scope)
    while shorter != scope:
        scope, shorter = shorter, _INNER_ARGUMENTS.sub("", shorter)
    return scope + colons + last


def receiver(node: tree_sitter.Node, data: bytes) -> str:
    """Name a method that stands outside of its type as ``Type.method``."""
    name = field("name")(node, data)
    owner = node.child_by_field_name("receiver")
    if owner is None or not name:
        return name
    words = _TYPE_ARGUMENTS.sub("", _text(owner, data).strip("()")).replace("*", " ").split()
    return f"{words[-1]}.{name}" if words else name


def tag(node: tree_sitter.Node, data: bytes) -> str:
    """Name an element by its tag."""
    found = _TAG.match(_start_tag(node, data))
    return found[1] if found else ""


def tag_with_id(node: tree_sitter.Node, data: bytes) -> str:
    """Name an element that has an id as ``tag#id``; without one it has no name."""
    found = _ID.search(_start_tag(node, data))
    return f"{tag(node, data)}#{found[1]}" if found else ""


def _start_tag(node: tree_sitter.Node, data: bytes) -> str:
    return _text(node.named_children[0], data) if node.named_child_count else ""


def _text(node: tree_sitter.Node, data: bytes) -> str:
    return _span(node.start_byte, node.end_byte, data)


def _span(start: int, end: int, data: bytes) -> str:
    return data[start : min(end, start + _NAME_BYTES)].decode("utf-8", "replace").replace("\0", "")
