"""What a syntax node defines: kind, name and signature, also where the name stands outside the definition."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import tree_sitter

from pipeline.parse.languages import Language, Wrapper

#: Characters. Longer names and signatures are cut; a minified line is no signature.
MAX_NAME = 120
MAX_SIGNATURE = 200

#: ``export const f = async () => {}`` needs four steps from the statement to the function.
_MAX_WRAPPERS = 6
#: Enough of a header for a signature, whatever its white space.
_HEADER_BYTES = 800

#: What ends a header, beside white space.
_HEADER_ENDS = " \t\r\n:{=\\"

#: Kinds whose functions are methods.
_OWNERS = frozenset({"class", "interface", "enum"})

#: Makes a definition from a plain tuple, in half the time that its own constructor takes.
_new_definition = tuple.__new__


class Definition(NamedTuple):
    """What a node defines. ``inner`` is the span of the definition proper where the node only wraps it.

    ``body`` is the definition's, where it has one and nothing but a signature before it.
    """

    kind: str
    name: str
    signature: str
    inner: tuple[int, int] | None
    body: tree_sitter.Node | None


class PlainType(NamedTuple):
    """A node type that defines something of a kind without a wrapper; a function among ``members`` is a method."""

    kind: str
    kind_in_owner: str
    before_code: Set[str]
    comments: Set[str]


def plain_type(grammar_type: str, language: Language) -> PlainType | None:
    """Return what is common to the nodes of a type, None where `find_definition` has to look at each of them."""
    kind = language.definitions.get(grammar_type, "key")
    special = {*language.headings, *language.wrappers, *language.names, *language.sized, *language.outermost}
    if kind == "key" or grammar_type in special:
        return None
    in_owner = "method" if kind == "function" else kind
    return PlainType(kind, in_owner, language.comments | language.decorators | language.modifiers, language.comments)


def find_plain(node: tree_sitter.Node, start: int, data: bytes, plain: PlainType, owner: str) -> Definition | None:
    """Return what `find_definition` does, in half of the time, for what is as most definitions are.

    It begins with code, has a plain name and, directly behind its header, a body. None says nothing.
    """
    named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if named is None or body is None:
        return None
    first = node.child(0)
    if first.start_byte != start or first.type in plain.before_code:
        return None
    kind, kind_in_owner, _, comments = plain
    before, end = _before_body(node, body), body.start_byte
    if end - start >= _HEADER_BYTES or (before is not None and before.type in comments):
        return None
    name_start, name_end = named.byte_range
    name = data[name_start:name_end].decode("utf-8", "replace")
    header = data[start:end].decode("utf-8", "replace")
    signature = " ".join(header.rstrip(_HEADER_ENDS).split())
    if not name.isidentifier() or name_end - name_start > MAX_NAME or "\0" in header or len(signature) > MAX_SIGNATURE:
        return None
    return _new_definition(Definition, (kind_in_owner if owner in _OWNERS else kind, name, signature, None, body))


def _before_body(node: tree_sitter.Node, body: tree_sitter.Node) -> tree_sitter.Node | None:
    """Return the sibling before a body: the last child but one, unless the body is not the last. To ask is slower."""
    count = node.child_count
    if count > 1 and (before := node.child(count - 2)).end_byte <= body.start_byte:
        return before
    return body.prev_sibling


def find_definition(
    node: tree_sitter.Node, data: bytes, language: Language, owner: str, large: int
) -> Definition | None:
    """Return what ``node`` defines, None if nothing that has a name.

    ``owner`` is the kind of the enclosing definition: a function in a class is a method, and a key inside another
    key is worth a name only above ``large`` bytes.
    """
    grammar_type = node.type
    if grammar_type in language.headings:
        return _heading(node, data)
    if grammar_type in language.wrappers:
        found = _defining(node, data, language)
    elif grammar_type in language.definitions and _has_body(node, grammar_type, language):
        found = node, grammar_type, language.definitions[grammar_type], ""
    else:
        found = None
    if found is None:
        return None
    inner, inner_type, kind, given = found
    if owner and inner_type in language.outermost:
        return None
    may_be_small = inner_type not in language.sized and not kind == owner == "key"
    if not may_be_small and inner.end_byte - inner.start_byte <= large:
        return None
    name = (_clip(given, MAX_NAME) if given else "") or _name(inner, inner_type, data, language)
    if not name and inner is not node:
        name = language.wrappers[grammar_type].default
    if not name:
        return None
    if kind == "function" and owner in _OWNERS:
        kind = "method"
    span = None if inner is node else inner.byte_range
    body = None if kind == "key" else _body(inner, language)
    end = None if body is None else _header_end(inner, body, language)
    signature = name if kind == "key" else _signature(node, inner, end, data, language)
    return Definition(kind, name, signature, span, body if body is None or end == body.start_byte else None)


def _defining(node: tree_sitter.Node, data: bytes, language: Language) -> tuple[tree_sitter.Node, str, str, str] | None:
    """Return the node that defines something, its type, its kind, and the name that wrappers around it give it.

    Inside a wrapper it is the first definition that the fields lead to, else the wrapper itself if it defines.
    """
    paths = [(node, "", 0, False)]
    while paths:
        node, name, depth, is_opened = paths.pop()
        grammar_type = node.type
        wrapper = None if is_opened or depth >= _MAX_WRAPPERS else language.wrappers.get(grammar_type)
        inside = None if wrapper is None else _wrapped(node, wrapper, data)
        if wrapper is not None and inside:
            naming = language.names.get(grammar_type)
            given = (naming(node, data) if naming else _field_text(node, wrapper.name, data)) or name
            paths.append((node, name, depth, True))
            paths.extend((inner, given, depth + 1, False) for inner in reversed(inside))
            continue
        kind = language.definitions.get(grammar_type) or (language.values.get(grammar_type) if depth else None)
        if kind and _has_body(node, grammar_type, language):
            return node, grammar_type, kind, name
    return None


def _wrapped(node: tree_sitter.Node, wrapper: Wrapper, data: bytes) -> list[tree_sitter.Node]:
    """Return the nodes that a definition may be in, the likeliest first."""
    if wrapper.inner:
        inside = [inner for field in wrapper.inner if (inner := node.child_by_field_name(field)) is not None]
        through = wrapper.through
        if through is None:
            return inside
        return [inner for value in inside if (inner := through(node, value, data)) is not None]
    count = node.named_child_count
    inner = node.named_child(count - 1) if count and (wrapper.last or count == 1) else None
    return [] if inner is None else [inner]


def _has_body(node: tree_sitter.Node, grammar_type: str, language: Language) -> bool:
    return grammar_type not in language.needs_body or node.child_by_field_name("body") is not None


def _name(node: tree_sitter.Node, grammar_type: str, data: bytes, language: Language) -> str:
    naming = language.names.get(grammar_type)
    if naming is not None:
        return _clip(_unquoted(naming(node, data)), MAX_NAME)
    return _field_text(node, "name", data) or _field_text(node, "key", data)


def _unquoted(name: str) -> str:
    return name[1:-1] if name[:1] in {'"', "'"} and name.endswith(name[:1]) else name


def _field_text(node: tree_sitter.Node, field: str, data: bytes) -> str:
    found = node.child_by_field_name(field) if field else None
    if found is None:
        return ""
    start, end = found.byte_range
    text = _text(data, start, end)
    # Most are identifiers, which have nothing to be rid of.
    return text if end - start <= MAX_NAME and text.isidentifier() else _clip(text.strip("\"'"), MAX_NAME)


def _signature(
    node: tree_sitter.Node, found: tree_sitter.Node, end: int | None, data: bytes, language: Language
) -> str:
    """Return the header on one line: from behind the decorators to its end, or to that of the first line."""
    start = _first_code(node, language).start_byte
    if end is None:
        code = max(start, found.start_byte)
        line = _text(data, code, found.end_byte).partition("\n")[0].partition("\r")[0]
        header = _text(data, start, code) + line
    else:
        header = _text(data, start, end)
    return _clip(header.rstrip(_HEADER_ENDS), MAX_SIGNATURE)


def _body(node: tree_sitter.Node, language: Language) -> tree_sitter.Node | None:
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    return next((child for child in node.named_children if child.type in language.bodies), None)


def _first_code(node: tree_sitter.Node, language: Language) -> tree_sitter.Node:
    """Return the first node inside that is neither decorator nor comment."""
    first = node.child(0) if node.child_count else None
    if first is None:
        return node
    grammar_type = first.type
    if not _is_before_code(grammar_type, language) and grammar_type not in language.modifiers:
        return first
    for child in node.children:
        inside = child.children if child.type in language.modifiers else (child,)
        for code in inside:
            if not _is_before_code(code.type, language):
                return code
    return node


def _is_before_code(grammar_type: str, language: Language) -> bool:
    return grammar_type in language.decorators or grammar_type in language.comments


def _header_end(found: tree_sitter.Node, body: tree_sitter.Node, language: Language) -> int:
    """Return where the header ends: before the comments in front of the body."""
    end = body.start_byte
    before = _before_body(found, body)
    if before is not None and before.type in language.comments:
        end = _comments_start(found, end, language)
    return max(end, found.start_byte)


def _comments_start(found: tree_sitter.Node, end: int, language: Language) -> int:
    """Return where the comments begin that end at a child. Going forward, for to go back is to count from the first."""
    start = end
    for child in found.children:
        if child.start_byte >= end:
            break
        if child.type not in language.comments:
            start = end
        elif start == end:
            start = child.start_byte
    return start


def _heading(node: tree_sitter.Node, data: bytes) -> Definition:
    """Return a heading as ``## Title``, in whichever style it is written."""
    name = _without_closing_marks(_field_text(node, "heading_content", data))
    level = next((int(c) for child in node.children for c in child.type if c.isdigit()), 1)
    return Definition("heading", name, f"{'#' * level} {name}", None, None)


def _without_closing_marks(title: str) -> str:
    """Return ``Title`` of ``## Title ##``; marks at the end of a word are a part of it."""
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1].isspace() else title


def _text(data: bytes, start: int, end: int) -> str:
    text = data[start : end if end - start < _HEADER_BYTES else start + _HEADER_BYTES].decode("utf-8", "replace")
    return text.replace("\0", "") if "\0" in text else text


def _clip(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
