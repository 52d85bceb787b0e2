"""Which function or class a value stands for: itself, or what a call makes it of.

``const Card = memo(forwardRef(function Card() {}))`` is called where the function in it would be. What a call only uses
is not named after its result: the function that follows other arguments must be more than one expression
(``pick(list, (x) => x.id)`` is none, ``createThunk("load", async (id) => {…})`` is), and the language's own methods
that take a function, such as ``map``, apply it there and then.
"""

from __future__ import annotations

import tree_sitter

#: No value that a person wrote has more calls and parentheses around its function.
_MAX_STEPS = 8
#: What may stand around a function: a call, and what only says something about what is in it.
_AROUND = frozenset(
    {"call_expression"} | {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
)
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
_ASSIGNED = _FUNCTIONS | {"assignment_expression"}
#: The methods of arrays, promises and strings that are given a function.
_APPLYING = frozenset(
    {b"map", b"flatMap", b"filter", b"find", b"findIndex", b"findLast", b"findLastIndex", b"reduce", b"reduceRight"}
    | {b"some", b"every", b"forEach", b"sort", b"toSorted", b"then", b"catch", b"finally", b"replace", b"replaceAll"}
)
#: How Ruby makes a class that it gives no name.
_MAKING_CLASSES = frozenset({b"Class.new", b"Module.new", b"Struct.new", b"Data.define"})


def in_call(holder: tree_sitter.Node, value: tree_sitter.Node, data: bytes) -> tree_sitter.Node | None:
    """Return the function or class that the value of a declaration, a field or an export stands for, if any."""
    if value.type not in _AROUND:
        return value
    named = holder.child_by_field_name("name")
    # `const { result } = render(() => ...)` takes something out of what the call returns.
    return None if named is not None and named.type.endswith("_pattern") else _function(value, data)


def in_exported_call(holder: tree_sitter.Node, value: tree_sitter.Node, data: bytes) -> tree_sitter.Node | None:
    """Return the same for an assignment: of a call only where it exports, for others keep what was returned."""
    if value.type not in _AROUND:
        return value if value.type in _ASSIGNED else None
    left = holder.child_by_field_name("left")
    exports = left is not None and data.startswith((b"exports", b"module.exports"), left.start_byte)
    return _function(value, data) if exports or value.type != "call_expression" else None


def _function(value: tree_sitter.Node, data: bytes) -> tree_sitter.Node | None:
    """Go on from a value through what is around a function; a value that is neither is returned as it is."""
    node: tree_sitter.Node | None = value
    for _ in range(_MAX_STEPS):
        grammar_type = "" if node is None else node.type
        if node is None or grammar_type not in _AROUND:
            return node
        node = _called(node, data) if grammar_type == "call_expression" else node.named_child(0)
    return None


def _called(call: tree_sitter.Node, data: bytes) -> tree_sitter.Node | None:
    """Return what a call is mainly about: a function that it calls at once, or one of its arguments."""
    callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if callee is None or arguments is None or arguments.type != "arguments":
        return None
    if callee.type == "parenthesized_expression":
        return callee
    count = arguments.named_child_count
    if not count or _is_applying(callee, data):
        return None
    first = arguments.named_child(0)
    if count == 1 or first.type in _FUNCTIONS or first.type == "call_expression":
        return first
    last = arguments.named_child(count - 1)
    return last if last.type in _FUNCTIONS and _has_block(last) else None


def _is_applying(callee: tree_sitter.Node, data: bytes) -> bool:
    method = callee.child_by_field_name("property")
    return method is not None and data[method.start_byte : method.end_byte] in _APPLYING


def _has_block(function: tree_sitter.Node) -> bool:
    body = function.child_by_field_name("body")
    return body is not None and body.type in {"statement_block", "class_body"}


def made_class(_holder: tree_sitter.Node, value: tree_sitter.Node, data: bytes) -> tree_sitter.Node | None:
    """Return what makes a class in ``Point = Struct.new(:x) do``: the block, which holds its methods, or the call."""
    if value.type != "call":
        return None
    maker, method = value.child_by_field_name("receiver"), value.child_by_field_name("method")
    if maker is None or method is None or data[maker.start_byte : method.end_byte] not in _MAKING_CLASSES:
        return None
    return value.child_by_field_name("block") or value
