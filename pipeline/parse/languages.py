"""Which languages have a grammar, how to recognise them, and what their syntax nodes mean to us.

One table entry is all a language needs: where its grammar is, and which of its node types are definitions, bodies,
comments and so on. Nothing outside this module names a node type. A language without an entry is ``text``: it is
chunked by paragraphs and lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath

import tree_sitter

#: The language of everything that has no grammar.
TEXT = "text"

#: Parts of a statement that hold statements: a chunk had better not start with one. Named alike in all grammars.
CLAUSES = frozenset(
    {"elif_clause", "else_clause", "except_clause", "except_group_clause", "finally_clause", "catch_clause"}
)

#: What is parsed at once. A tree takes up to 130 bytes a byte of dense source, so parsing stays near 400 MB at worst.
MAX_PARSED_BYTES = 3 * 1024 * 1024

_SHEBANG = re.compile(rb"#![ \t]*(\S+)(?:[ \t]+-S)?(?:[ \t]+\S+=\S*)*(?:[ \t]+(\S+))?")
_INTERPRETER_VERSION = re.compile(r"[\d.]+$")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A node type that stands around a definition, and may be what names it (``const f = () => {}``).

    ``inner`` lists the fields to look for the definition in; empty means: its only named child. ``name`` is the
    field that names it and ``default`` the name it gets when nothing does.
    """

    inner: tuple[str, ...] = ()
    name: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """What we know of a language. Sets and mappings hold node types of its grammar.

    ``definitions`` and ``values`` map to kinds of ours; ``values`` define something only inside a wrapper.
    ``bodies`` have no node of their own: their children count as the children of what they belong to, except
    directly inside one of ``lists``. ``opaque`` nodes are never looked into. At most ``max_bytes`` are parsed
    at once. Unless it is 0, the grammar is not used above ``max_nesting`` blocks inside each other.
    """

    name: str
    module: str = ""
    entry: str = "language"
    extensions: frozenset[str] = frozenset()
    file_names: frozenset[str] = frozenset()
    interpreters: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    wrappers: Mapping[str, Wrapper] = field(default_factory=dict)
    bodies: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    decorators: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    headings: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    plain_kind: str = "block"
    max_bytes: int = MAX_PARSED_BYTES
    max_nesting: int = 0


_JS_DEFINITIONS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "class_declaration": "class",
    "method_definition": "method",
}
_JS_VALUES = {
    "arrow_function": "function",
    "function_expression": "function",
    "generator_function": "function",
    "class": "class",
}
_JS_WRAPPERS = {
    "export_statement": Wrapper(inner=("declaration", "value"), default="default"),
    "lexical_declaration": Wrapper(),
    "variable_declaration": Wrapper(),
    "expression_statement": Wrapper(),
    "variable_declarator": Wrapper(inner=("value",), name="name"),
    "assignment_expression": Wrapper(inner=("right",), name="left"),
    "pair": Wrapper(inner=("value",), name="key"),
}
_JS_BODIES = frozenset({"statement_block", "class_body", "switch_body"})
_JS_OPAQUE = frozenset({"string", "template_string", "regex", "jsx_text"})

_TS_DEFINITIONS = _JS_DEFINITIONS | {
    "abstract_class_declaration": "class",
    "interface_declaration": "interface",
    "type_alias_declaration": "type",
    "enum_declaration": "enum",
    "internal_module": "namespace",
    "module": "namespace",
    "function_signature": "function",
    "method_signature": "method",
    "abstract_method_signature": "method",
}
_TS_WRAPPERS = _JS_WRAPPERS | {
    "ambient_declaration": Wrapper(),
    "public_field_definition": Wrapper(inner=("value",), name="name"),
}
_TS_BODIES = _JS_BODIES | {"interface_body", "enum_body"}


def _typescript(name: str, *extensions: str, interpreters: frozenset[str] = frozenset()) -> Language:
    """Return an entry for one of the two grammars of the TypeScript wheel (``<T>x`` parses in one of them only)."""
    return Language(
        name=name,
        module="tree_sitter_typescript",
        entry=f"language_{name}",
        extensions=frozenset(extensions),
        interpreters=interpreters,
        definitions=_TS_DEFINITIONS,
        values=_JS_VALUES,
        wrappers=_TS_WRAPPERS,
        bodies=_TS_BODIES,
        decorators=frozenset({"decorator"}),
        imports=frozenset({"import_statement"}),
        opaque=_JS_OPAQUE,
    )


LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        Language(
            name="python",
            module="tree_sitter_python",
            extensions=frozenset({".py", ".pyi", ".pyw"}),
            file_names=frozenset({"SConstruct", "SConscript", "wscript"}),
            interpreters=frozenset({"python", "pypy"}),
            definitions={"function_definition": "function", "class_definition": "class"},
            wrappers={"decorated_definition": Wrapper(inner=("definition",))},
            bodies=frozenset({"block"}),
            decorators=frozenset({"decorator"}),
            imports=frozenset({"import_statement", "import_from_statement", "future_import_statement"}),
            opaque=frozenset({"string"}),
        ),
        Language(
            name="javascript",
            module="tree_sitter_javascript",
            extensions=frozenset({".js", ".jsx", ".mjs", ".cjs"}),
            file_names=frozenset({"Jakefile"}),
            interpreters=frozenset({"node", "nodejs", "bun"}),
            definitions=_JS_DEFINITIONS,
            values=_JS_VALUES,
            wrappers=_JS_WRAPPERS | {"field_definition": Wrapper(inner=("value",), name="property")},
            bodies=_JS_BODIES,
            comments=frozenset({"comment", "html_comment"}),
            decorators=frozenset({"decorator"}),
            imports=frozenset({"import_statement"}),
            opaque=_JS_OPAQUE,
        ),
        _typescript("typescript", ".ts", ".mts", ".cts", interpreters=frozenset({"deno", "ts-node", "tsx"})),
        _typescript("tsx", ".tsx"),
        Language(
            name="markdown",
            module="tree_sitter_markdown",
            extensions=frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx"}),
            bodies=frozenset({"section"}),
            comments=frozenset(),
            headings=frozenset({"atx_heading", "setext_heading"}),
            opaque=frozenset({"fenced_code_block", "html_block", "paragraph", "pipe_table"}),
            plain_kind=TEXT,
            # Its trees are three times as large as those of the others.
            max_bytes=MAX_PARSED_BYTES // 4,
        ),
        Language(
            name="json",
            module="tree_sitter_json",
            extensions=frozenset({".json", ".jsonl", ".ndjson", ".geojson", ".webmanifest", ".ipynb"}),
            file_names=frozenset({".babelrc", ".eslintrc", ".prettierrc", "Pipfile.lock", "composer.lock"}),
            definitions={"pair": "key"},
            bodies=frozenset({"object", "array"}),
            lists=frozenset({"array"}),
            opaque=frozenset({"string"}),
        ),
        Language(
            name="yaml",
            module="tree_sitter_yaml",
            extensions=frozenset({".yaml", ".yml"}),
            file_names=frozenset({".clang-format", ".clang-tidy", "CITATION.cff"}),
            definitions={"block_mapping_pair": "key"},
            bodies=frozenset({"document", "block_node", "block_mapping", "block_sequence"}),
            opaque=frozenset({"block_scalar", "double_quote_scalar", "single_quote_scalar", "plain_scalar"}),
            max_bytes=MAX_PARSED_BYTES // 2,
            # The scanner of tree-sitter-yaml 0.7.2 crashes the process from 250 nested blocks on.
            max_nesting=100,
        ),
        Language(name=TEXT),
    )
}

_BY_EXTENSION = {suffix: language.name for language in LANGUAGES.values() for suffix in language.extensions}
_BY_FILE_NAME = {name: language.name for language in LANGUAGES.values() for name in language.file_names}
_BY_INTERPRETER = {name: language.name for language in LANGUAGES.values() for name in language.interpreters}


def detect_language(path: str, head: bytes) -> str:
    """Return the language of the file at ``path`` by its name, its extension or the shebang in ``head``."""
    name = PurePosixPath(path).name
    if name in _BY_FILE_NAME:
        return _BY_FILE_NAME[name]
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _BY_EXTENSION:
        return _BY_EXTENSION[suffix]
    return TEXT if suffix else _language_of_shebang(head)


def language_of(name: str) -> Language:
    """Return the table entry for ``name``; an unknown language is treated as text."""
    return LANGUAGES.get(name, LANGUAGES[TEXT])


@cache
def grammar_of(name: str) -> tree_sitter.Language | None:
    """Return the grammar of a language, imported at its first use; None where there is none."""
    language = language_of(name)
    if not language.module:
        return None
    return tree_sitter.Language(getattr(import_module(language.module), language.entry)())


def _language_of_shebang(head: bytes) -> str:
    """Return the language of the interpreter on the first line (``#!/usr/bin/env -S python3.11 -u``)."""
    match = _SHEBANG.match(head.removeprefix(b"\xef\xbb\xbf"))
    if not match:
        return TEXT
    command, argument = (part.decode("ascii", "replace") for part in (match[1], match[2] or b""))
    interpreter = PurePosixPath(command).name
    if interpreter == "env":
        interpreter = PurePosixPath(argument).name
    return _BY_INTERPRETER.get(_INTERPRETER_VERSION.sub("", interpreter), TEXT)
