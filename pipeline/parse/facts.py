"""Collect what a syntax tree says about a file's definitions, imports and references, in one pass of one query.

A definition's complexity counts the branches that are its own: those of a definition inside it count there. An
anonymous function is a part of the definition that it stands in, one that a definition names (``const f = () => {}``)
is that definition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

import tree_sitter

from pipeline.facts import DefinitionFacts, FileFacts, Span
from pipeline.parse.declarators import declared_names, whole_type
from pipeline.parse.doc_comments import comment_line, string_line
from pipeline.parse.facts_query import errors_query, facts_query, table_of
from pipeline.parse.facts_tables import FactsTable
from pipeline.types import OutlineNode

#: Of one definition; a definition with more says nothing more by them.
MAX_PARAMETERS = 32
MAX_DECORATORS = 8
#: Bytes of white space between a decorator and what it decorates.
MAX_BLANK = 1_024
#: Of one file.
MAX_IMPORTS = 256
MAX_ERRORS = 256
#: Nodes below have no facts: a query takes time with the square of the depth, 15 s for 60 kB that nest 10,000 deep.
MAX_DEPTH = 1_000
#: A query also takes time with how many of its patterns are half matched at once, for each node anew: a long chain of
#: operators has one for each. So many at once, and no more than so many times the bytes of the text: 3 s at most. Of
#: 4,000 real files a large one of the test data of a compiler had more.
MAX_HALF_MATCHED = 1_024
MAX_HALF_MATCHED_BYTES = 500_000_000
#: Bytes of the text for each reference that is kept: minified code has one every few bytes.
BYTES_PER_REFERENCE = 16
#: As many are kept whatever the size.
FREE_REFERENCES = 64

_FUNCTIONS = frozenset({"function", "method"})
_START, _END = itemgetter(0), itemgetter(1)
#: Makes facts from a plain tuple, in half the time that their own constructor takes.
_new_facts = tuple.__new__
#: Beyond every offset.
_EVERYTHING = 1 << 62
#: What components' names begin with; ``<div>`` is none.
_CAPITALS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_QUOTES = frozenset({b'"', b"'"})


def collect_facts(
    tree: tree_sitter.Tree, data: bytes, language: str, nodes: Sequence[OutlineNode], inner: Mapping[int, Span]
) -> FileFacts | None:
    """Return the facts of a file, None where the language has none.

    ``inner`` maps the index of a node that only wraps its definition to the definition's own span.
    """
    query, table = facts_query(language), table_of(language)
    if query is None or table is None:
        return None
    captures = _captures(query, tree)
    # A name may be found by our own pattern and by the tags query.
    references = {node.start_byte for node in captures.get("reference", ())}
    if "element" in captures:
        references.update(at for at in _starts(captures["element"]) if data[at] in _CAPITALS)
    return FileFacts(
        definitions=_Definitions(data, nodes, inner, captures, table).facts(),
        imports=tuple(_imports(data, captures, table.importers)[:MAX_IMPORTS]),
        references=tuple(sorted(references)[: FREE_REFERENCES + len(data) // BYTES_PER_REFERENCE]),
        errors=_errors(tree, language),
    )


def join_facts(
    before: FileFacts | None, facts: FileFacts | None, nodes: int, offset: int, until: int | None
) -> FileFacts | None:
    """Return the facts of a text up to the end of a window at ``offset``, behind ``nodes`` nodes.

    What is at ``until`` or behind it in the window belongs to the next one.
    """
    if facts is None or (not offset and until is None):
        return facts
    end = _EVERYTHING if until is None else until
    before = before or FileFacts()
    moved = {nodes + i: _moved(each, offset) for i, each in facts.definitions.items()}
    imports = [(first + offset, last + offset) for first, last in facts.imports if first < end]
    references = [each + offset for each in facts.references if each < end]
    errors = [each + offset for each in facts.errors if each < end]
    return FileFacts(
        definitions={**before.definitions, **moved},
        imports=(*before.imports, *imports)[:MAX_IMPORTS],
        references=(*before.references, *references),
        errors=(*before.errors, *errors)[:MAX_ERRORS],
    )


def _moved(facts: DefinitionFacts, offset: int) -> DefinitionFacts:
    """Return the facts with every span so much further on."""

    def move(span: Span) -> Span:
        return span[0] + offset, span[1] + offset

    return DefinitionFacts(
        facts.complexity,
        None if facts.doc is None else move(facts.doc),
        None if facts.returns is None else move(facts.returns),
        tuple(map(move, facts.parameters)),
        tuple(map(move, facts.decorators)),
    )


def _errors(tree: tree_sitter.Tree, language: str) -> tuple[int, ...]:
    if not tree.root_node.has_error:
        return ()
    captures = _captures(errors_query(language), tree)
    return tuple(_starts(captures.get("error", ()))[:MAX_ERRORS])


def _captures(query: tree_sitter.Query, tree: tree_sitter.Tree) -> dict[str, list[tree_sitter.Node]]:
    limit = max(min(MAX_HALF_MATCHED, MAX_HALF_MATCHED_BYTES // max(tree.root_node.end_byte, 1)), 1)
    cursor = tree_sitter.QueryCursor(query, match_limit=limit)
    cursor.set_max_start_depth(MAX_DEPTH)
    return cursor.captures(tree.root_node)


def _imports(data: bytes, captures: Mapping[str, list[tree_sitter.Node]], importers: frozenset[bytes]) -> list[Span]:
    """Return the modules that are imported by a statement, or by a call of one of the importers."""
    imports = _spans(captures.get("import", ()))
    arguments = _spans(captures.get("argument", ()))
    callers = _spans(captures.get("caller", ()))
    at = 0
    for (start, end), (following, _) in pairwise([*callers, (_EVERYTHING, _EVERYTHING)]):
        before, at = at, bisect_left(arguments, (following, 0), at)
        if data[start:end] in importers:
            imports += [_unquoted(data, each) for each in arguments[before:at]]
    return sorted(imports)


def _unquoted(data: bytes, span: Span) -> Span:
    start, end = span
    quote = data[start : start + 1]
    is_quoted = end - start > 1 and quote in _QUOTES and data[end - 1 : end] == quote
    return (start + 1, end - 1) if is_quoted else span


def _starts(nodes: Iterable[tree_sitter.Node]) -> list[int]:
    """Return where the nodes start; ``a and b or c`` is two branches that start at the same byte."""
    return sorted([node.start_byte for node in nodes])


def _spans(nodes: Iterable[tree_sitter.Node]) -> list[Span]:
    return sorted([node.byte_range for node in nodes])


class _Definitions:
    """The captures of one file, on their way to the definitions that they belong to."""

    def __init__(
        self,
        data: bytes,
        nodes: Sequence[OutlineNode],
        inner: Mapping[int, Span],
        captures: Mapping[str, list[tree_sitter.Node]],
        table: FactsTable,
    ) -> None:
        self._data = data
        self._nodes = nodes
        self._comments = table.docs
        self._has_declarators = table.declarators
        self._decorators = _spans(captures.get("decorator", ()))
        self._starts = {start for start, _ in self._decorators}
        self._spans = {inner.get(i) or node[:2]: i for i, node in enumerate(nodes) if node.name}
        scopes = [node.byte_range for node in captures.get("scope", ())]
        lambdas = [node.byte_range for node in captures.get("lambda", ())]
        anonymous = set(lambdas).difference(self._spans, scopes) if lambdas else ()
        scopes += lambdas
        # Outer before inner, also where both begin at the same byte.
        scopes.sort(key=_END, reverse=True)
        scopes.sort(key=_START)
        counted = [scope for scope in scopes if scope not in anonymous] if anonymous else scopes
        self._branches = Counter(_owners(counted, _starts(captures.get("branch", ()))))
        self._parameters: dict[Span, list[Span]] = {}
        for owner, span in _owned(scopes, _spans(captures.get("parameter", ()))):
            self._parameters.setdefault(owner, []).append(span)
        self._returns = dict(_owned(scopes, _spans(captures.get("return", ()))))
        self._docs = dict(_owned(scopes, _spans(captures.get("doc", ()))))

    def facts(self) -> dict[int, DefinitionFacts]:
        """Return the facts of the nodes that have any, by their index."""
        facts: dict[int, DefinitionFacts] = {}
        nodes, branches, returns, parameters = self._nodes, self._branches, self._returns, self._parameters
        docs, has_comments, has_decorators = self._docs, bool(self._comments), bool(self._decorators)
        has_declarators = self._has_declarators
        for span, i in self._spans.items():
            complexity = branches.get(span, 0) + 1 if nodes[i].kind in _FUNCTIONS else 0
            doc = self._doc(i, span) if has_comments or span in docs else None
            decorators = self._decorators_of(i) if has_decorators else ()
            if complexity or doc or decorators:
                names = tuple(parameters[span][:MAX_PARAMETERS]) if span in parameters else ()
                returned = returns.get(span)
                if has_declarators:
                    names = declared_names(self._data, names) if names else ()
                    returned = whole_type(self._data, returned, span) if returned else None
                facts[i] = _new_facts(DefinitionFacts, (complexity, doc, returned, names, decorators))
        return facts

    def _doc(self, index: int, span: Span) -> Span | None:
        string = self._docs.get(span)
        if string is not None:
            return string_line(self._data, string)
        return comment_line(self._data, self._nodes, index, self._comments)

    def _decorators_of(self, index: int) -> tuple[Span, ...]:
        """Return the decorators that end directly before a node, and those that it begins with."""
        node = self._nodes[index]
        if node.start not in self._starts and (not index or self._nodes[index - 1].kind != "decorator"):
            return ()
        at = bisect_left(self._decorators, (node.start, 0))
        before, top = at, node.start
        while before > 0 and self._is_blank(self._decorators[before - 1][1], top):
            before -= 1
            top = self._decorators[before][0]
        bottom = node.start
        while at < len(self._decorators) and self._is_blank(bottom, self._decorators[at][0]):
            bottom = self._decorators[at][1]
            at += 1
        return tuple(self._decorators[before:at][:MAX_DECORATORS])

    def _is_blank(self, start: int, end: int) -> bool:
        return 0 <= end - start <= MAX_BLANK and not self._data[start:end].strip()


def _owned(scopes: Sequence[Span], spans: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Yield the innermost scope around each span, and the span."""
    return zip(_owners(scopes, [start for start, _ in spans]), spans, strict=True)


def _owners(scopes: Sequence[Span], offsets: Sequence[int]) -> list[Span]:
    """Return the innermost scope around each offset, or the span of everything; both are in the order of the text."""
    owners: list[Span] = []
    owner, end = (-1, _EVERYTHING), _EVERYTHING
    around = [owner]
    at, following = 0, scopes[0][0] if scopes else _EVERYTHING
    for offset in offsets:
        while following <= offset:
            around.append(owner := scopes[at])
            end = owner[1]
            at += 1
            following = scopes[at][0] if at < len(scopes) else _EVERYTHING
        while end <= offset:
            around.pop()
            owner = around[-1]
            end = owner[1]
        owners.append(owner)
    return owners
