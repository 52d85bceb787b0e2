"""C, C++, Rust and Go."""

from __future__ import annotations

import re

from pipeline.parse.languages import naming
from pipeline.parse.languages.entry import Language, Wrapper

_C_DEFINITIONS = {
    "function_definition": "function",
    "struct_specifier": "class",
    "union_specifier": "class",
    "enum_specifier": "enum",
    "type_definition": "type",
    "preproc_function_def": "macro",
}
_C_WRAPPERS = {
    "type_definition": Wrapper(inner=("type",)),
    "declaration": Wrapper(inner=("type", "declarator")),
    "pointer_declarator": Wrapper(inner=("declarator",)),
}
_C_NAMES = {
    "function_definition": naming.function,
    "function_declarator": naming.declarator,
    "type_definition": naming.declarator,
}
_C_NEEDS_BODY = frozenset({"struct_specifier", "union_specifier", "enum_specifier"})
_C_BODIES = frozenset({"compound_statement", "field_declaration_list", "enumerator_list", "declaration_list"})
#: What the preprocessor leaves out or takes in stays together if it fits, and holds what could stand around it as well.
_C_GROUPS = frozenset(
    {
        *("preproc_ifdef", "preproc_if", "preproc_elif", "preproc_elifdef", "preproc_else"),
        "linkage_specification",
    }
)
#: What makes a C header one for C++ as well: half of a block in one place, half in another. No grammar sees that they
#: belong together; the whole header would be an error. Nothing is looked for far away: a line may be the whole file.
_C_GUARD = re.compile(
    rb"#[ \t]*+if[^\n]{0,200}?\b__cplusplus\b[^\n]{0,200}+\n"
    rb"(?:[ \t\r]{0,80}+(?:extern[ \t]{0,80}+\"C\"[ \t]{0,80}+)?[{}]?[ \t\r]{0,80}+"
    rb"(?:/\*[^*\n]{0,200}+\*/[ \t\r]{0,80}+|//[^\n]{0,200}+)?\n){1,4}"
    rb"[ \t]{0,80}+#[ \t]{0,80}+endif"
)
#: What lets a header be read only once.
_C_ONCE = re.compile(
    rb"#[ \t]{0,80}+pragma[ \t]{1,80}+once\b"
    rb"|#[ \t]{0,80}+ifndef[ \t]{1,80}+(\w{1,200}+)[ \t\r]{0,80}+\n\s{0,80}+"
    rb"#[ \t]{0,80}+define[ \t]{1,80}+\1[ \t]{0,80}+1?[ \t\r]{0,80}+(?:\n|/[/*])"
)


def _c_macro(keyword: bytes) -> re.Pattern[bytes]:
    """Match the macros between a keyword and the name of the class or struct that it defines: ``class API Store {``.

    No grammar knows that they are none of the name, so that the class would be a function called after its base.
    The keyword comes first for the sake of speed: a text without it is searched as fast as for a word.
    """
    name = rb"(?!final\b)[^\W\d]\w{0,120}+(?:::\w{1,120}+){0,8}+(?:<[^<>{};\n]{0,200}+>)?"
    return re.compile(
        # Neither `subclass`, nor a loop over what has that type.
        keyword + rb"(?<![\w(]" + keyword + rb")[ \t]{1,80}+"
        rb"(_{0,2}+[A-Z][A-Z0-9_]{1,80}+(?:\([^()\n]{0,80}+\))?(?:\s{1,80}+[A-Z][A-Z0-9_]{1,80}+(?=\s{1,80}+\w)){0,2})"
        rb"(?=\s{1,80}+" + name + rb"\s{0,80}+(?:final\s{0,80}+)?"
        # Nor what has that type and is given a value in braces.
        rb"(?::(?!:)|\{(?![^\S\n]{0,80}+[^\s;{}][^;{}\n]{0,200}+\})))"
    )


_C_UNREAD = (_C_GUARD, _c_macro(b"class"), _c_macro(b"struct"))
_C_OPAQUE = frozenset({"string_literal", "raw_string_literal", "preproc_arg"})

_C = Language(
    name="c",
    module="tree_sitter_c",
    extensions=frozenset({".c", ".h"}),
    interpreters=frozenset({"tcc"}),
    definitions=_C_DEFINITIONS,
    values={"function_declarator": "function"},
    wrappers=_C_WRAPPERS,
    names=_C_NAMES,
    needs_body=_C_NEEDS_BODY,
    groups=_C_GROUPS,
    bodies=_C_BODIES,
    decorators=frozenset({"attribute_declaration"}),
    imports=frozenset({"preproc_include"}),
    opaque=_C_OPAQUE - {"raw_string_literal"},
    unread=_C_UNREAD,
    preludes=_C_ONCE,
)

_CPP = Language(
    name="cpp",
    module="tree_sitter_cpp",
    extensions=frozenset(
        {".cc", ".cpp", ".cxx", ".c++", ".C", ".hpp", ".hh", ".hxx", ".h++", ".H", ".ipp", ".tpp", ".inl", ".ino"}
        | {".cu", ".cuh", ".cppm", ".ixx"}
    ),
    aliases=frozenset({"arduino", "cuda"}),
    definitions=_C_DEFINITIONS
    | {
        "class_specifier": "class",
        "namespace_definition": "namespace",
        "alias_declaration": "type",
        "concept_definition": "type",
    },
    values={"function_declarator": "function", "lambda_expression": "function"},
    wrappers=_C_WRAPPERS
    | {
        "template_declaration": Wrapper(last=True),
        "friend_declaration": Wrapper(),
        "field_declaration": Wrapper(inner=("type", "declarator")),
        "reference_declarator": Wrapper(),
        "init_declarator": Wrapper(inner=("value",), name="declarator"),
    },
    names=_C_NAMES,
    needs_body=_C_NEEDS_BODY | {"class_specifier"},
    groups=_C_GROUPS | {"namespace_definition"},
    bodies=_C_BODIES,
    # `public:` goes with what follows it.
    decorators=frozenset({"attribute_declaration", "access_specifier"}),
    imports=frozenset({"preproc_include"}),
    opaque=_C_OPAQUE,
    unread=_C_UNREAD,
    preludes=_C_ONCE,
    # What may be comparisons or type arguments takes memory with the square of their number: 13,000 of them 2.6 GB.
    max_angles_a_statement=1_000,
)

_RUST = Language(
    name="rust",
    module="tree_sitter_rust",
    extensions=frozenset({".rs"}),
    interpreters=frozenset({"rust-script"}),
    definitions={
        "function_item": "function",
        "function_signature_item": "function",
        "struct_item": "class",
        "union_item": "class",
        "enum_item": "enum",
        "trait_item": "interface",
        "impl_item": "class",
        "type_item": "type",
        "mod_item": "namespace",
        "macro_definition": "macro",
    },
    names={"impl_item": naming.bare(naming.field("type"))},
    groups=frozenset({"foreign_mod_item"}),
    bodies=frozenset({"declaration_list", "block", "field_declaration_list", "enum_variant_list", "match_block"}),
    comments=frozenset({"line_comment", "block_comment"}),
    decorators=frozenset({"attribute_item"}),
    imports=frozenset({"use_declaration", "extern_crate_declaration", "inner_attribute_item"}),
    opaque=frozenset({"string_literal", "raw_string_literal"}),
)

_GO = Language(
    name="go",
    module="tree_sitter_go",
    extensions=frozenset({".go"}),
    aliases=frozenset({"golang"}),
    definitions={
        "function_declaration": "function",
        "method_declaration": "method",
        "method_elem": "method",
        "type_spec": "type",
        "type_alias": "type",
    },
    values={"struct_type": "class", "interface_type": "interface", "func_literal": "function"},
    wrappers={
        "type_declaration": Wrapper(),
        "type_spec": Wrapper(inner=("type",), name="name"),
        "var_declaration": Wrapper(),
        "var_spec": Wrapper(inner=("value",), name="name"),
        "expression_list": Wrapper(),
    },
    names={"method_declaration": naming.receiver},
    groups=frozenset({"type_declaration"}),
    bodies=frozenset({"block", "statement_list", "field_declaration_list", "literal_value", "import_spec_list"}),
    lists=frozenset({"literal_value"}),
    imports=frozenset({"import_declaration", "package_clause"}),
    opaque=frozenset({"raw_string_literal", "interpreted_string_literal"}),
)

ENTRIES = (_C, _CPP, _RUST, _GO)
