"""Data and configuration: JSON, YAML, TOML, SQL."""

from __future__ import annotations

from pipeline.parse.languages import naming
from pipeline.parse.languages.entry import MAX_PARSED_BYTES, Language, Wrapper

_JSON = Language(
    name="json",
    module="tree_sitter_json",
    extensions=frozenset(
        {".json", ".jsonl", ".ndjson", ".geojson", ".webmanifest", ".ipynb", ".jsonc", ".code-workspace"}
    ),
    file_names=frozenset({".babelrc", ".eslintrc", ".prettierrc", "Pipfile.lock", "composer.lock"}),
    aliases=frozenset({"importmap", "speculationrules"}),
    definitions={"pair": "key"},
    bodies=frozenset({"object", "array"}),
    lists=frozenset({"array"}),
    opaque=frozenset({"string"}),
)

_YAML = Language(
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
)

_TOML_KEY = naming.child("bare_key", "dotted_key", "quoted_key")
_TOML = Language(
    name="toml",
    module="tree_sitter_toml",
    extensions=frozenset({".toml"}),
    file_names=frozenset({"Cargo.lock", "poetry.lock", "uv.lock", "pdm.lock", "Pipfile"}),
    definitions=dict.fromkeys(("table", "table_array_element", "pair"), "key"),
    names=dict.fromkeys(("table", "table_array_element", "pair"), _TOML_KEY),
    bodies=frozenset({"array", "inline_table"}),
    opaque=frozenset({"string"}),
)

_SQL_REFERENCE = naming.child("object_reference")
_SQL = Language(
    name="sql",
    module="tree_sitter_sql",
    extensions=frozenset({".sql", ".ddl", ".dml", ".psql", ".pgsql"}),
    aliases=frozenset({"postgresql", "postgres", "mysql", "sqlite", "plpgsql"}),
    definitions={
        "create_table": "table",
        "create_view": "view",
        "create_materialized_view": "view",
        "create_function": "function",
        "create_type": "type",
        "create_index": "index",
        "create_trigger": "trigger",
        "create_sequence": "sequence",
        "create_schema": "namespace",
    },
    wrappers={"statement": Wrapper()},
    names={
        "create_table": _SQL_REFERENCE,
        "create_view": _SQL_REFERENCE,
        "create_materialized_view": _SQL_REFERENCE,
        "create_function": _SQL_REFERENCE,
        "create_type": _SQL_REFERENCE,
        "create_index": naming.field("column"),
        "create_trigger": _SQL_REFERENCE,
        "create_sequence": _SQL_REFERENCE,
        "create_schema": naming.child("identifier"),
    },
    bodies=frozenset({"column_definitions", "create_query"}),
    comments=frozenset({"comment", "marginalia"}),
    opaque=frozenset({"literal"}),
)

ENTRIES = (_JSON, _YAML, _TOML, _SQL)
