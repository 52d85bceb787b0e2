"""What there is to say about a language: the form of a table entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tree_sitter

#: The language of everything that has no grammar.
TEXT = "text"

#: What is parsed at once. Trees of ordinary files take 20 to 80 bytes a byte: 250 MB at most. What a parse may take of
#: others is in `pipeline.parse.limits`. Grammars whose trees are larger, or slower, are given less.
MAX_PARSED_BYTES = 3 * 1024 * 1024

#: Parts of a statement that hold statements: a chunk had better not start with one. Named alike in all grammars.
CLAUSES = frozenset(
    {"elif_clause", "else_clause", "except_clause", "except_group_clause", "finally_clause", "catch_clause"}
    | {"else_if_clause", "elsif", "else", "rescue", "ensure"}
)

#: Statements whose second body is a clause as well: not all grammars have a node for ``else``.
BRANCHES = frozenset({"if_statement", "if_expression"})

#: Nodes that are no bodies and hold statements all the same, behind a label or a keyword.
HOLDERS = frozenset(
    {
        "switch_case",
        "switch_default",
        "case_statement",
        "default_statement",
        "switch_section",
        "begin",
        "else",
        "ensure",
    }
    | {"switch_block_statement_group", "expression_case", "type_case", "communication_case", "default_case"}
)

#: Says how a node is called, from the node and the text that it is in; empty where it has no name.
Naming = Callable[[tree_sitter.Node, bytes], str]

#: Says which node inside of a wrapper's field may be the definition, from the wrapper, the field and the text.
Through = Callable[[tree_sitter.Node, tree_sitter.Node, bytes], tree_sitter.Node | None]


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A node type that stands around a definition, and may be what names it (``const f = () => {}``).

    ``inner`` lists the fields to look for the definition in; empty means: its only named child, or its last one if
    ``last`` is set. ``name`` is the field that names it, for this is the name that others use, and ``default`` the
    name it gets as the outermost when nothing does. ``through`` leads from such a field to what it is about.
    """

    inner: tuple[str, ...] = ()
    name: str = ""
    default: str = ""
    last: bool = False
    through: Through | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """Code of another language inside a node: ``query`` captures it as ``@code``, and what tells its language as
    ``@info`` (a fence's info string, a start tag). ``language`` is what it is in where nothing tells.
    """

    query: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """What we know of a language. Sets and mappings hold node types of its grammar, if not said otherwise.

    ``definitions`` and ``values`` map to kinds of ours; ``values`` define something only inside a wrapper. A type
    in ``names`` is not named by its field ``name`` or ``key``. Those that need a body only refer to a definition
    without one; ``sized`` ones are worth a name only when large, ``outermost`` ones only outside of any definition.
    ``containers`` are kinds whose members have names that matter outside, and ``groups`` are looked into as well,
    however small they are.

    ``bodies`` have no node of their own: their children count as the children of what they belong to, except
    directly inside one of ``lists``. Leading decorators inside of ``modifiers`` are no part of a signature.
    What is in ``rests`` and does not end with a brace is about the rest of the file (``namespace Shop;``). ``openings``
    are statements that say something of the whole file where it begins with one that is a string only; so does what
    ``preludes`` matches there. What ``exports`` matches only says what a file is for others.
    ``opaque`` nodes are never looked into. What ``unread`` match, or their group, is blank to the grammar.

    ``extensions`` keep their case where it matters (``.C``). ``aliases`` are further names by which code is said to
    be in this language. At most ``max_bytes`` are parsed at once. Unless they are 0, the grammar is not used above
    ``max_nesting`` blocks inside each other or ``max_angles`` signs ``<`` that no ``>`` follows, or so many in one
    statement.
    """

    name: str
    module: str = ""
    entry: str = "language"
    extensions: frozenset[str] = frozenset()
    file_names: frozenset[str] = frozenset()
    interpreters: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    wrappers: Mapping[str, Wrapper] = field(default_factory=dict)
    names: Mapping[str, Naming] = field(default_factory=dict)
    needs_body: frozenset[str] = frozenset()
    sized: frozenset[str] = frozenset()
    outermost: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset({"class", "interface", "namespace"})
    groups: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    decorators: frozenset[str] = frozenset()
    modifiers: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    headings: frozenset[str] = frozenset()
    rests: frozenset[str] = frozenset()
    openings: frozenset[str] = frozenset()
    preludes: re.Pattern[bytes] | None = None
    exports: re.Pattern[bytes] | None = None
    opaque: frozenset[str] = frozenset()
    unread: tuple[re.Pattern[bytes], ...] = ()
    embedded: tuple[Embedding, ...] = ()
    plain_kind: str = "block"
    max_bytes: int = MAX_PARSED_BYTES
    max_nesting: int = 0
    max_angles: int = 0
    max_angles_a_statement: int = 0
