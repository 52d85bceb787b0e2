"""How a definition is called where its grammar has no field for that."""

from __future__ import annotations

import re

import tree_sitter

from pipeline.parse.languages.entry import Naming

#: No declarator that a person wrote nests deeper.
_MAX_DECLARATORS = 16
#: Nor has a macro that makes a function of them more arguments.
_MAX_ARGUMENTS = 6
#: Enough for a name, whatever its white space.
_NAME_BYTES = 400

#: What CommonJS calls what a file exports.
_WHOLE_MODULE = frozenset({"module.exports", "exports", "exports.default", "module.exports.default"})

_ID = re.compile(r"""\sid\s*=\s*["']?([^\s"'>]+)""", re.IGNORECASE)
_TAG = re.compile(r"<([\w:.-]+)")
_TYPE_ARGUMENTS = re.compile(r"[\[<].*", re.DOTALL)
_REFERENCE = re.compile(r"\A(?:&\s*(?:'\w+\s+)?(?:mut\s+)?)+")
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
    """Leave out references, and the type arguments of a name: all of ``Store<T>`` is one type, ``[T]`` has no other."""

    def named(node: tree_sitter.Node, data: bytes) -> str:
        name = _REFERENCE.sub("", naming(node, data))
        return _TYPE_ARGUMENTS.sub("", name) or name

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
    whole = node
    for _ in range(_MAX_DECLARATORS):
        inner: tree_sitter.Node | None = node.child_by_field_name("declarator")
        if inner is None:
            grammar_type = node.type
            if not (grammar_type.endswith("_declarator") and node.named_child_count):
                is_name = grammar_type.endswith(("identifier", "_name", "_cast", "_function"))
                name = _unqualified(_text(node, data)) if is_name else ""
                return name if name and "operator " not in name else _conversion(whole, data) or name
            inner = node.named_child(node.named_child_count - 1)
        node = inner
    return ""


def _conversion(node: tree_sitter.Node, data: bytes) -> str:
    """Name ``A::operator bool() const`` without its parameters; what is no conversion has no such name."""
    start, is_cast = -1, False
    inner: tree_sitter.Node | None = node
    for _ in range(_MAX_DECLARATORS):
        if inner is None:
            break
        is_qualified, is_cast = inner.type == "qualified_identifier", is_cast or inner.type == "operator_cast"
        if start < 0 and (is_qualified or is_cast):
            start = inner.start_byte
        parameters = inner.child_by_field_name("parameters") if is_cast else None
        if parameters is not None:
            return _unqualified(_span(start, parameters.start_byte, data).rstrip())
        inner = inner.child_by_field_name("name" if is_qualified else "declarator")
    return ""


def function(node: tree_sitter.Node, data: bytes) -> str:
    """Name a function of C, and what a macro makes a function of by the macro's arguments: ``TEST(Parser, IsFast) {``.

    A constructor has no type either; but few are all capitals, and fewer have several parameters without names.
    """
    name = declarator(node, data)
    if not (name.isupper() and name.isidentifier()) or node.child_by_field_name("type") is not None:
        return name
    words = _macro_arguments(node, data)
    return (".".join(words) or name) if len(words) > 1 or "_" in name else name


def _macro_arguments(node: tree_sitter.Node, data: bytes) -> list[str]:
    """Return the arguments if they are no more than words: types without a parameter, as the grammar sees them."""
    parameters: tree_sitter.Node | None = None
    for _ in range(_MAX_DECLARATORS):
        inner = node.child_by_field_name("declarator")
        if inner is None:
            break
        parameters, node = inner.child_by_field_name("parameters") or parameters, inner
    if parameters is None or parameters.named_child_count > _MAX_ARGUMENTS:
        return []
    words = parameters.named_children
    return [_text(word, data) for word in words] if all(_is_word(word) for word in words) else []


def _is_word(parameter: tree_sitter.Node) -> bool:
    kind = parameter.named_child(0) if parameter.named_child_count == 1 else None
    return kind is not None and kind.type == "type_identifier"


def _unqualified(name: str) -> str:
    """Leave out the type arguments of ``Store<K, V>::get``; an operator is no bracket."""
    scope, colons, last = name.rpartition("::")
    shorter = _INNER_ARGUMENTS.sub("", scope)
    while shorter != scope:
        scope, shorter = shorter, _INNER_ARGUMENTS.sub("", shorter)
    return scope + colons + last


def assigned(node: tree_sitter.Node, data: bytes) -> str:
    """Name what is assigned by where it is assigned to; what is all that a module exports, by its own name first."""
    left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
    name = "" if left is None else _text(left, data)
    if name not in _WHOLE_MODULE or value is None:
        return name
    has_own_name = value.type == "assignment_expression" or value.child_by_field_name("name") is not None
    return "" if has_own_name else name


def operator(node: tree_sitter.Node, data: bytes) -> str:
    """Name an operator of C# by its sign, a conversion by the type that it is to."""
    sign = node.child_by_field_name("operator") or node.child_by_field_name("type")
    return "" if sign is None else f"operator {_text(sign, data)}"


def destructor(node: tree_sitter.Node, data: bytes) -> str:
    """Name a destructor of C# unlike the constructor."""
    return f"~{field('name')(node, data)}"


def indexer(_node: tree_sitter.Node, _data: bytes) -> str:
    """Name an indexer of C# as it is written: it has no name of its own."""
    return "this[]"


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
