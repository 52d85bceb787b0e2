"""JavaScript, TypeScript and what is written around them: HTML, CSS, Vue."""

from __future__ import annotations

import re

from pipeline.parse.languages import naming, wrapping
from pipeline.parse.languages.entry import Embedding, Language, Wrapper

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
    "export_statement": Wrapper(inner=("declaration", "value"), default="default", through=wrapping.in_call),
    "lexical_declaration": Wrapper(),
    "variable_declaration": Wrapper(),
    "expression_statement": Wrapper(),
    "variable_declarator": Wrapper(inner=("value",), name="name", through=wrapping.in_call),
    "assignment_expression": Wrapper(inner=("right",), through=wrapping.in_exported_call),
    "pair": Wrapper(inner=("value",), name="key"),
}
_JS_NAMES = {"assignment_expression": naming.assigned}
_JS_BODIES = frozenset({"statement_block", "class_body", "switch_body"})
#: ``"use client";``
_JS_OPENINGS = frozenset({"expression_statement"})
#: ``const fs = require("fs").promises;``
_JS_REQUIRES = re.compile(
    rb"(?:(?:const|let|var)\s+(?:[\w$]+|\{[^{}=;]{0,400}\})\s*=\s*)?require\(\s*[\"'][^\"'\n]{0,200}[\"']\s*\)[\w$.]{0,200}"
    rb"\s{0,80};?(?=[ \t]*(?:[\r\n]|/[/*]|\Z))"
)
#: ``export default Order;``
_JS_EXPORTS = re.compile(
    rb"(?:export\s+(?:default\s+[\w$]+|(?:type\s+)?(?:\{[^{}]*\}|\*[\w$\s]*)(?:\s*from\s*[\"'][^\"'\n]*[\"'])?)"
    rb"|module\.exports\s*=\s*[\w$]+)\s*;?"
)
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
    "public_field_definition": Wrapper(inner=("value",), name="name", through=wrapping.in_call),
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
        names=_JS_NAMES,
        bodies=_TS_BODIES,
        decorators=frozenset({"decorator"}),
        imports=frozenset({"import_statement"}),
        openings=_JS_OPENINGS,
        preludes=_JS_REQUIRES,
        exports=_JS_EXPORTS,
        opaque=_JS_OPAQUE,
    )


_JAVASCRIPT = Language(
    name="javascript",
    module="tree_sitter_javascript",
    extensions=frozenset({".js", ".jsx", ".mjs", ".cjs"}),
    file_names=frozenset({"Jakefile"}),
    interpreters=frozenset({"node", "nodejs", "bun"}),
    aliases=frozenset({"ecmascript", "module", "babel", "nodejs"}),
    definitions=_JS_DEFINITIONS,
    values=_JS_VALUES,
    wrappers=_JS_WRAPPERS | {"field_definition": Wrapper(inner=("value",), name="property", through=wrapping.in_call)},
    names=_JS_NAMES,
    bodies=_JS_BODIES,
    comments=frozenset({"comment", "html_comment"}),
    decorators=frozenset({"decorator"}),
    imports=frozenset({"import_statement"}),
    openings=_JS_OPENINGS,
    preludes=_JS_REQUIRES,
    exports=_JS_EXPORTS,
    opaque=_JS_OPAQUE,
)

_EMBEDDED = (
    Embedding("(script_element (start_tag) @info (raw_text) @code)", "javascript"),
    Embedding("(style_element (start_tag) @info (raw_text) @code)", "css"),
)

_HTML = Language(
    name="html",
    module="tree_sitter_html",
    extensions=frozenset({".html", ".htm", ".xhtml"}),
    definitions={"element": "section"},
    names={"element": naming.tag_with_id},
    sized=frozenset({"element"}),
    opaque=frozenset({"raw_text", "text", "start_tag", "script_element", "style_element"}),
    embedded=_EMBEDDED,
)

# There is no wheel for Vue; its files are HTML with elements of its own at the top.
_VUE = Language(
    name="vue",
    module="tree_sitter_html",
    extensions=frozenset({".vue"}),
    definitions=dict.fromkeys(("element", "script_element", "style_element"), "section"),
    names=dict.fromkeys(("element", "script_element", "style_element"), naming.tag),
    outermost=frozenset({"element", "script_element", "style_element"}),
    opaque=frozenset({"raw_text", "text", "start_tag"}),
    embedded=_EMBEDDED,
)

_CSS = Language(
    name="css",
    module="tree_sitter_css",
    extensions=frozenset({".css"}),
    definitions=dict.fromkeys(
        ("rule_set", "media_statement", "supports_statement", "keyframes_statement", "at_rule"), "rule"
    ),
    names=dict.fromkeys(
        ("rule_set", "media_statement", "supports_statement", "keyframes_statement", "at_rule"),
        naming.header("block", "keyframe_block_list"),
    ),
    sized=frozenset({"rule_set"}),
    bodies=frozenset({"block", "keyframe_block_list"}),
    comments=frozenset({"comment", "js_comment"}),
    imports=frozenset({"import_statement"}),
    opaque=frozenset({"string_value"}),
)

ENTRIES = (
    _JAVASCRIPT,
    _typescript(
        "typescript",
        ".ts",
        ".mts",
        ".cts",
        interpreters=frozenset({"deno", "ts-node", "tsx"}),
    ),
    _typescript("tsx", ".tsx"),
    _HTML,
    _VUE,
    _CSS,
)
