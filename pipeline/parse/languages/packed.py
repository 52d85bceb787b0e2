"""Languages without an official wheel, parsed where ``tree-sitter-language-pack`` is installed, else as text.

The grammars come from many hands but agree on most of their words, so one entry fits them all; a word that a grammar
does not have does no harm.
"""

from __future__ import annotations

from importlib import import_module

import tree_sitter

from pipeline.parse.languages import naming
from pipeline.parse.languages.entry import Language, Naming, Wrapper

#: The extra ``all-languages`` installs it.
MODULE = "tree_sitter_language_pack"

_DEFINITIONS = {
    "function_declaration": "function",
    "function_definition": "function",
    "function_definition_statement": "function",
    "local_function": "function",
    "secondary_constructor": "method",
    "init_declaration": "method",
    "protocol_function_declaration": "method",
    "class_declaration": "class",
    "class_definition": "class",
    "object_declaration": "class",
    "object_definition": "class",
    "companion_object": "class",
    "struct_declaration": "class",
    "contract_declaration": "class",
    "library_declaration": "class",
    "protocol_declaration": "interface",
    "interface_declaration": "interface",
    "trait_definition": "interface",
    "enum_definition": "enum",
    "enum_declaration": "enum",
    "type_alias": "type",
    "type_definition": "type",
    "package_clause": "namespace",
    "message": "class",
    "enum": "enum",
    "service": "interface",
    "rpc": "method",
    "object_type_definition": "class",
    "interface_type_definition": "interface",
    "input_object_type_definition": "class",
    "enum_type_definition": "enum",
    "union_type_definition": "type",
    "scalar_type_definition": "type",
    "operation_definition": "function",
    "fragment_definition": "function",
}
_IDENTIFIER = naming.child(
    *("simple_identifier", "type_identifier", "identifier", "word", "name"),
    *("message_name", "enum_name", "service_name", "rpc_name", "package_identifier"),
)


def grammar(name: str) -> tree_sitter.Language | None:
    """Return a grammar of the pack, None where the pack is not installed."""
    try:
        pack = import_module(MODULE)
    except ModuleNotFoundError as exc:
        if exc.name != MODULE:
            raise
        return None
    found: tree_sitter.Language = pack.get_language(name)
    return found


def _name(node: tree_sitter.Node, data: bytes) -> str:
    return naming.field("name")(node, data) or _IDENTIFIER(node, data)


def _block_name(node: tree_sitter.Node, data: bytes) -> str:
    """Name ``resource "type" "name" {`` by all its words."""
    return naming.header("block_start")(node, data).replace('"', "")


def _packed(
    name: str,
    *extensions: str,
    entry: str = "",
    file_names: frozenset[str] = frozenset(),
    interpreters: frozenset[str] = frozenset(),
    aliases: frozenset[str] = frozenset(),
    definitions: dict[str, str] | None = None,
    naming_by: Naming = _name,
) -> Language:
    definitions = _DEFINITIONS if definitions is None else definitions
    return Language(
        name=name,
        module=MODULE,
        entry=entry or name,
        extensions=frozenset(extensions),
        file_names=file_names,
        interpreters=interpreters,
        aliases=aliases,
        definitions=definitions,
        names=dict.fromkeys(definitions, naming_by),
        wrappers={"template_definition": Wrapper(last=True)},
        containers=frozenset({"class", "interface", "namespace", "enum"}),
        groups=frozenset({"type_system_extension", "type_definition"}),
        bodies=frozenset(
            {"class_body", "enum_class_body", "protocol_body", "template_body", "function_body", "block", "statements"}
            | {"statement", "message_body", "enum_body", "contract_body", "source_file", "body", "document"}
            | {"definition", "type_system_definition", "executable_definition", "fields_definition"}
        ).difference(definitions),
        comments=frozenset({"comment", "line_comment", "block_comment", "multiline_comment"}),
        decorators=frozenset({"annotation", "attribute"}),
        modifiers=frozenset({"modifiers"}),
        imports=frozenset({"import", "import_declaration", "import_header", "import_list", "package_header"}),
        opaque=frozenset({"string", "string_literal"}),
    )


ENTRIES = (
    _packed("kotlin", ".kt", ".kts"),
    _packed("swift", ".swift"),
    _packed("scala", ".scala", ".sc", ".sbt"),
    _packed("lua", ".lua", interpreters=frozenset({"lua", "luajit"})),
    _packed("solidity", ".sol"),
    _packed("proto", ".proto", aliases=frozenset({"protobuf"})),
    _packed("graphql", ".graphql", ".gql", ".graphqls"),
    _packed(
        "hcl",
        ".hcl",
        ".tf",
        ".tfvars",
        aliases=frozenset({"terraform"}),
        definitions={"block": "key"},
        naming_by=_block_name,
    ),
    _packed("dockerfile", ".dockerfile", file_names=frozenset({"Dockerfile", "Containerfile"}), definitions={}),
)
