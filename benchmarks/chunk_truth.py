"""What a source file holds, found without the chunker's help: statements, functions, and what leads a definition.

The chunker's own outline is what is measured, so nothing of it is used: one query per language asks the grammar
itself. All spans are byte offsets.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from tree_sitter import Language, Parser, Query, QueryCursor

from pipeline.parse.languages import grammar_of

Span = tuple[int, int]

#: Behind a comment: what may stand before that which it is about.
_TO_NEXT_LINE = re.compile(rb"[ \t\f\v]*(?:\r\n|\r|\n)?[ \t\f\v]*")
_BLANK = re.compile(rb"\s*")
_SPACE = b" \t\r\n\f\v"


@dataclass(frozen=True, slots=True)
class Types:
    """Node types of a grammar: whose named children are statements, and which are functions and so on.

    ``anywhere`` are statements whatever they stand in: the cases of a switch and the arms of a match, the methods of
    an object, and in C what stands among tokens that the grammar, which has no preprocessor, cannot read as a whole.
    """

    blocks: tuple[str, ...]
    functions: tuple[str, ...]
    definitions: tuple[str, ...]
    comments: tuple[str, ...] = ("comment",)
    decorators: tuple[str, ...] = ("decorator",)
    anywhere: tuple[str, ...] = ()


_SCRIPT_FUNCTIONS = (
    *("function_declaration", "generator_function_declaration", "method_definition", "function_expression"),
    "arrow_function",
)
_SCRIPT_CASES = ("switch_case", "switch_default")
_SCRIPT_BLOCKS = ("program", "statement_block", "class_body", "switch_body", *_SCRIPT_CASES)
_SCRIPT_ANYWHERE = (*_SCRIPT_CASES, "method_definition")
_SCRIPT_DEFINITIONS = (*_SCRIPT_FUNCTIONS[:3], "class_declaration", "export_statement")
_TYPED_BLOCKS = (*_SCRIPT_BLOCKS, "interface_body", "enum_body", "object_type")
_TYPED_DEFINITIONS = (
    *(*_SCRIPT_DEFINITIONS, "abstract_class_declaration", "interface_declaration", "type_alias_declaration"),
    *("enum_declaration", "method_signature", "ambient_declaration"),
)
_TYPED = Types(_TYPED_BLOCKS, _SCRIPT_FUNCTIONS, _TYPED_DEFINITIONS, anywhere=_SCRIPT_ANYWHERE)

_C_BLOCKS = (
    *("translation_unit", "compound_statement", "field_declaration_list", "enumerator_list"),
    *("preproc_ifdef", "preproc_if", "preproc_else", "preproc_elif", "declaration_list", "case_statement"),
)
_C_DEFINITIONS = ("function_definition", "struct_specifier", "type_definition", "declaration")
_C_ANYWHERE = ("function_definition", "type_definition", "preproc_include", "preproc_def", "preproc_function_def")

TYPES: Mapping[str, Types] = {
    "python": Types(
        ("module", "block"),
        ("function_definition",),
        ("function_definition", "class_definition", "decorated_definition"),
    ),
    "javascript": Types(_SCRIPT_BLOCKS, _SCRIPT_FUNCTIONS, _SCRIPT_DEFINITIONS, anywhere=_SCRIPT_ANYWHERE),
    "typescript": _TYPED,
    "tsx": _TYPED,
    "go": Types(
        (
            *("source_file", "statement_list", "field_declaration_list", "const_declaration", "var_spec_list"),
            *("import_spec_list", "type_declaration", "interface_type"),
        ),
        ("function_declaration", "method_declaration", "func_literal"),
        ("function_declaration", "method_declaration", "type_declaration"),
        decorators=(),
        anywhere=("expression_case", "type_case", "communication_case", "default_case"),
    ),
    "rust": Types(
        ("source_file", "block", "declaration_list", "field_declaration_list", "enum_variant_list", "match_block"),
        ("function_item",),
        ("function_item", "struct_item", "enum_item", "trait_item", "impl_item", "mod_item", "macro_definition"),
        ("line_comment", "block_comment"),
        ("attribute_item",),
        ("match_arm",),
    ),
    "java": Types(
        (
            *("program", "class_body", "interface_body", "enum_body_declarations", "constructor_body", "block"),
            *("annotation_type_body", "switch_block", "switch_block_statement_group"),
        ),
        ("method_declaration", "constructor_declaration"),
        ("method_declaration", "constructor_declaration", "class_declaration", "interface_declaration"),
        ("line_comment", "block_comment"),
        ("annotation", "marker_annotation"),
        ("switch_block_statement_group", "switch_rule", "enum_constant"),
    ),
    "csharp": Types(
        (
            *("compilation_unit", "declaration_list", "block", "accessor_list", "enum_member_declaration_list"),
            *("switch_body", "switch_section", "preproc_if", "preproc_elif", "preproc_else"),
        ),
        (
            *("method_declaration", "constructor_declaration", "local_function_statement", "lambda_expression"),
            "anonymous_method_expression",
        ),
        (
            *("method_declaration", "constructor_declaration", "property_declaration", "class_declaration"),
            *("struct_declaration", "interface_declaration", "enum_declaration", "delegate_declaration"),
            *("record_declaration", "field_declaration"),
        ),
        decorators=(),
        anywhere=("switch_section", "switch_expression_arm"),
    ),
    "ruby": Types(
        ("program", "body_statement", "block_body", "then", "else", "ensure", "begin", "do"),
        ("method", "singleton_method"),
        ("method", "singleton_method", "class", "module", "singleton_class"),
        decorators=(),
        anywhere=("when", "in_clause"),
    ),
    "php": Types(
        (
            *("program", "compound_statement", "declaration_list", "enum_declaration_list", "colon_block"),
            *("switch_block", "case_statement", "default_statement"),
        ),
        ("function_definition", "method_declaration", "anonymous_function"),
        (
            *("function_definition", "method_declaration", "class_declaration", "interface_declaration"),
            *("trait_declaration", "enum_declaration", "property_declaration", "const_declaration"),
        ),
        decorators=(),
        anywhere=("case_statement", "default_statement", "match_conditional_expression"),
    ),
    "c": Types(_C_BLOCKS, ("function_definition",), _C_DEFINITIONS, decorators=(), anywhere=_C_ANYWHERE),
    "cpp": Types(
        _C_BLOCKS,
        ("function_definition", "lambda_expression"),
        (*_C_DEFINITIONS, "class_specifier", "template_declaration", "field_declaration"),
        decorators=(),
        anywhere=(*_C_ANYWHERE, "template_declaration", "namespace_definition"),
    ),
}


class Lead(NamedTuple):
    """Comments and decorators from ``start`` to the ``code`` of their definition, which goes on to ``end``."""

    start: int
    code: int
    end: int

    def is_forced(self, cap: int) -> bool:
        """Tell whether some cut has to part the two: they do not fit together, and what fits has to stay whole."""
        return self.code - self.start > cap or self.end - self.code <= cap < self.end - self.start


@dataclass(frozen=True, slots=True)
class Truth:
    """Where a file may be cut well."""

    statements: tuple[Span, ...]
    functions: tuple[Span, ...]
    leads: tuple[Lead, ...]
    starts: frozenset[int]
    ends: frozenset[int]


def truth_of(text: bytes, language: str) -> Truth:
    """Return what the grammar says of a text.

    Raises:
        KeyError: There is no table entry for the language.
    """
    grammar = grammar_of(language)
    if grammar is None:
        raise KeyError(language)
    tree = Parser(grammar).parse(text)
    found = QueryCursor(_query(grammar, TYPES[language])).captures(tree.root_node)
    spans = {name: sorted({_bare(text, *n.byte_range) for n in nodes}) for name, nodes in found.items()}
    # A node without text is what the parser made up.
    statements = tuple(sorted((s for s in spans.get("statement", ()) if s[0] < s[1]), key=lambda s: (s[0], -s[1])))
    starts = {start for start, _ in statements}
    ends = {end for _, end in statements} | {end for _, end in spans.get("comment", ())}
    leads = _leads(text, spans)
    return Truth(statements, tuple(spans.get("function", ())), leads, frozenset(starts), frozenset(ends))


@cache
def _query(grammar: Language, types: Types) -> Query:
    """Return the query for all that is asked of a grammar; what it has no name for is left out."""

    def known(names: Iterable[str]) -> list[str]:
        return [name for name in names if grammar.id_for_node_kind(name, True) is not None]

    patterns = [f"({name} (_) @statement)" for name in known(types.blocks)]
    patterns += [f"({name}) @statement" for name in known(types.anywhere)]
    for capture, names in (
        ("function", types.functions),
        ("definition", types.definitions),
        ("comment", types.comments),
        ("decorator", types.decorators),
    ):
        patterns += [f"({name}) @{capture}" for name in known(names)]
    return Query(grammar, "\n".join(patterns))


def _bare(text: bytes, start: int, end: int) -> Span:
    """Return a node's span without the line end that some grammars count as a part of comments and directives."""
    while start < end and text[end - 1] in _SPACE:
        end -= 1
    return start, end


def _leads(text: bytes, spans: Mapping[str, list[Span]]) -> tuple[Lead, ...]:
    """Return one lead for each run of comments and decorators."""
    definitions = spans.get("definition", [])
    targets = {start for start, _ in definitions}
    decorators = spans.get("decorator", [])
    targets |= {start for start, _ in decorators}
    leads: dict[int, int] = {}
    for start, end in sorted([*spans.get("comment", ()), *decorators], reverse=True):
        following = _following(text, start, end, is_comment=(start, end) not in decorators)
        if following in leads:
            leads[start] = leads.pop(following)
        elif following in targets or (start, end) in decorators:
            leads[start] = following
    ends = dict(definitions)  # of those that start at one byte the last one is the longest
    return tuple(
        Lead(start, code, ends.get(code) or _end_around(code, definitions)) for start, code in sorted(leads.items())
    )


def _end_around(offset: int, definitions: Iterable[Span]) -> int:
    """Return where the smallest definition around an offset ends, as where its code is behind its annotations."""
    around = [(end - start, end) for start, end in definitions if start < offset < end]
    return min(around, default=(0, offset))[1]


def _following(text: bytes, start: int, end: int, *, is_comment: bool) -> int:
    """Return where that starts which a comment or decorator leads; -1 where a comment leads nothing."""
    if not is_comment:
        return _end_of(_BLANK, text, end)
    line = max(text.rfind(b"\n", 0, start), text.rfind(b"\r", 0, start)) + 1
    if text[line:start].strip():
        return -1
    return _end_of(_TO_NEXT_LINE, text, end)


def _end_of(pattern: re.Pattern[bytes], text: bytes, offset: int) -> int:
    match = pattern.match(text, offset)
    return match.end() if match else offset


def innermost_sizes(truth: Truth, cuts: Iterable[int]) -> list[int]:
    """Return for each cut the size of the smallest statement that it cuts, 0 where it cuts none; cuts ascend."""
    sizes = []
    open_statements: list[Span] = []
    at = 0
    for cut in cuts:
        while at < len(truth.statements) and truth.statements[at][0] < cut:
            open_statements.append(truth.statements[at])
            at += 1
        open_statements = [span for span in open_statements if span[1] > cut]
        sizes.append(min((end - start for start, end in open_statements), default=0))
    return sizes


def is_cut(span: Span, cuts: list[int]) -> bool:
    """Tell whether one of the ascending cuts is strictly inside of a span."""
    first = bisect_left(cuts, span[0] + 1)
    return first < len(cuts) and cuts[first] < span[1]
