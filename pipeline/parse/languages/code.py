"""Java and C#."""

from __future__ import annotations

from pipeline.parse.languages import naming
from pipeline.parse.languages.entry import Language, Wrapper

#: Type arguments that nothing closes take memory with the square of their number: 20,000 of them 5 GB, in one step.
_MAX_ANGLES = 2_000

_JAVA = Language(
    name="java",
    module="tree_sitter_java",
    extensions=frozenset({".java"}),
    definitions={
        "class_declaration": "class",
        "record_declaration": "class",
        "interface_declaration": "interface",
        "annotation_type_declaration": "interface",
        "enum_declaration": "enum",
        "method_declaration": "method",
        "constructor_declaration": "method",
        "compact_constructor_declaration": "method",
        "annotation_type_element_declaration": "method",
        "module_declaration": "namespace",
    },
    containers=frozenset({"class", "interface", "namespace", "enum"}),
    bodies=frozenset(
        {"class_body", "interface_body", "enum_body", "annotation_type_body", "module_body"}
        | {"enum_body_declarations", "constructor_body", "block", "switch_block"}
    ),
    comments=frozenset({"line_comment", "block_comment"}),
    decorators=frozenset({"annotation", "marker_annotation"}),
    modifiers=frozenset({"modifiers"}),
    imports=frozenset({"import_declaration", "package_declaration"}),
    opaque=frozenset({"string_literal"}),
    max_angles=_MAX_ANGLES,
)

_CSHARP = Language(
    name="csharp",
    module="tree_sitter_c_sharp",
    extensions=frozenset({".cs", ".csx", ".cake"}),
    aliases=frozenset({"c#", "c-sharp"}),
    definitions={
        "namespace_declaration": "namespace",
        "file_scoped_namespace_declaration": "namespace",
        "class_declaration": "class",
        "struct_declaration": "class",
        "record_declaration": "class",
        "interface_declaration": "interface",
        "enum_declaration": "enum",
        "delegate_declaration": "type",
        "method_declaration": "method",
        "constructor_declaration": "method",
        "destructor_declaration": "method",
        "operator_declaration": "method",
        "conversion_operator_declaration": "method",
        "property_declaration": "property",
        "indexer_declaration": "property",
        "event_declaration": "property",
        "local_function_statement": "function",
    },
    wrappers={"global_statement": Wrapper()},
    names={
        "operator_declaration": naming.operator,
        "conversion_operator_declaration": naming.operator,
        "indexer_declaration": naming.indexer,
        "destructor_declaration": naming.destructor,
    },
    groups=frozenset({"preproc_if", "preproc_elif", "preproc_else"}),
    bodies=frozenset({"declaration_list", "enum_member_declaration_list", "block", "accessor_list", "switch_body"}),
    comments=frozenset({"comment", "preproc_region", "preproc_endregion", "preproc_pragma", "preproc_nullable"}),
    decorators=frozenset({"attribute_list"}),
    imports=frozenset({"using_directive", "extern_alias_directive"}),
    rests=frozenset({"file_scoped_namespace_declaration"}),
    opaque=frozenset(
        {"string_literal", "raw_string_literal", "verbatim_string_literal", "interpolated_string_expression"}
    ),
    max_angles=_MAX_ANGLES,
)

ENTRIES = (_JAVA, _CSHARP)
