"""What each language calls a parameter, a branch or an import: one query per grammar, in words of ours.

``@scope`` is a definition that has a complexity of its own, and ``@lambda`` a function that has one only where it has
a name. ``@parameter``, ``@return``, ``@doc`` and ``@branch`` belong to the innermost of them, ``@decorator`` to the
definition that it stands before, or at the head of. ``@import`` is a module as it is written, or a statement that
names several of one, and ``@argument`` one if the ``@caller`` before it imports. ``@reference`` is a name that is
called or used, beside the references of the grammar's own tags query, and ``@element`` one if it is a component's. A
grammar without an entry has no facts, which is no loss to anything else. The keys are the grammars' Python modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: A name where a reference begins. Ranges alone are one look at a bitmap for each byte, ``\w`` among them would be two.
_NAME = rb"[$@0-9A-Z_a-z\x80-\xff]+"
_ANY_NAME = re.compile(_NAME)
#: Names may end with ``?`` or ``!``, and ``a != b`` has none that does.
_RUBY_NAME = re.compile(_NAME + rb"(?:[?!](?!=))?")
_RUST_NAME = re.compile(_NAME + rb"(?:!(?!=))?")
_BASH_NAME = re.compile(rb"[./:+-]*" + _NAME + rb"[$@0-9A-Z_a-z\x80-\xff./:+-]*")


@dataclass(frozen=True, slots=True)
class FactsTable:
    """``separator`` joins the parts of a qualified symbol, scopes called as in ``silent`` left out; ``docs`` are the
    openers of comments that document.

    What is captured as ``@argument`` is an import where the ``@caller`` before it is one of ``importers``. A predicate
    would ask the tree for the text of each caller, which reads the file again. ``group`` matches an import that names
    several modules: what they have in common, and their names. ``elements`` are patterns for the grammars that have
    elements. With ``declarators`` a parameter is captured as the declarator that has its name somewhere, and a return
    type without what the declarator adds to it. ``name`` matches a reference.
    """

    patterns: str
    separator: str = "."
    docs: tuple[bytes, ...] = ()
    importers: frozenset[bytes] = frozenset()
    uses_tags: bool = True
    silent: frozenset[str] = frozenset()
    group: re.Pattern[str] | None = None
    elements: str = ""
    declarators: bool = False
    name: re.Pattern[bytes] = _ANY_NAME


def _branches(*types: str, logic: str = "") -> str:
    """Return the patterns of the nodes that add a path through a function; ``logic``: operators that do as well."""
    nodes = " ".join(f"({name})" for name in types)
    return f"[{nodes}] @branch\n{logic and f'({logic}) @branch'}\n"


def _heads(scopes: tuple[str, ...], parameters: str = "", returns: str = "") -> str:
    """Return the patterns of functions: their scope, and what their heads say."""
    lines = [f"({scope}) @scope" for scope in scopes]
    lines += [f"({scope} {parameters})" for scope in scopes if parameters]
    lines += [f"({scope} {returns})" for scope in scopes if returns]
    return "\n".join(lines) + "\n"


_PYTHON = """
(function_definition) @scope
(function_definition return_type: (_) @return)
(parameters [(identifier) @parameter (_ name: (identifier) @parameter)
  (typed_parameter . [(identifier) @parameter (_ (identifier) @parameter)])
  (list_splat_pattern (identifier) @parameter) (dictionary_splat_pattern (identifier) @parameter)])
(class_definition) @scope
(class_definition superclasses: (argument_list
  [(identifier) @reference (attribute attribute: (identifier) @reference)
   (subscript value: [(identifier) @reference (attribute attribute: (identifier) @reference)])]))
(function_definition body: (block . (expression_statement . (string) @doc)))
(class_definition body: (block . (expression_statement . (string) @doc)))
(decorator) @decorator
(import_statement name: [(dotted_name) @import (aliased_import name: (_) @import)])
(import_from_statement module_name: [(dotted_name) @import (relative_import (dotted_name)) @import])
(import_from_statement module_name: (relative_import . (import_prefix) .)) @import
""" + _branches(
    *("if_statement", "elif_clause", "for_statement", "while_statement", "except_clause", "case_clause"),
    *("conditional_expression", "for_in_clause", "if_clause", "boolean_operator", "assert_statement"),
)

_JS_FUNCTIONS = ("function_declaration", "generator_function_declaration", "method_definition")
_JS_LAMBDAS = ("arrow_function", "function_expression", "generator_function")
_JS_MEMBER = "(identifier) @reference (member_expression property: (property_identifier) @reference)"
_JS_BASES = f"(class_heritage [{_JS_MEMBER}])\n"
_JS_COMMON = f"""
[(arrow_function) (function_expression) (generator_function)] @lambda
(arrow_function parameter: (identifier) @parameter)
(decorator) @decorator
(import_statement source: (string (string_fragment) @import))
(export_statement source: (string (string_fragment) @import))
(call_expression function: [(identifier) (import)] @caller
  arguments: (arguments . (string (string_fragment) @argument) .))
(call_expression function: [{_JS_MEMBER}])
(new_expression constructor: (identifier) @reference)
""" + _branches(
    *("if_statement", "for_statement", "for_in_statement", "while_statement", "do_statement", "switch_case"),
    *("catch_clause", "ternary_expression"),
    logic='binary_expression operator: ["&&" "||" "??"]',
)
_ELEMENTS = "".join(
    f"({node} name: [(identifier) @element (member_expression object: (identifier) @reference"
    " property: (property_identifier) @reference)])\n"
    for node in ("jsx_opening_element", "jsx_self_closing_element")
)
_JS_PARAMETERS = (
    "parameters: (formal_parameters [(identifier) @parameter (object_pattern) @parameter (array_pattern) @parameter"
    " (assignment_pattern left: (_) @parameter) (rest_pattern (_) @parameter)])"
)
_TS_PARAMETERS = (
    "parameters: (formal_parameters [(required_parameter pattern: [(identifier) (object_pattern) (array_pattern)"
    " (this)] @parameter) (required_parameter pattern: (rest_pattern (_) @parameter))"
    " (optional_parameter pattern: (_) @parameter)])"
)
_TS_SIGNATURES = ("function_signature", "method_signature", "abstract_method_signature")
_TS_OWN = f"""
(import_require_clause source: (string (string_fragment) @import))
(extends_clause value: [{_JS_MEMBER}])
(implements_clause [(type_identifier) @reference (generic_type name: (type_identifier) @reference)])
(extends_type_clause type: [(type_identifier) @reference (generic_type name: (type_identifier) @reference)])
"""
_TS_RETURNS = "return_type: [(type_annotation (_) @return) (type_predicate_annotation (_) @return)]"

_GO = (
    _heads(
        ("function_declaration", "method_declaration", "method_elem"),
        "parameters: (parameter_list (_ name: (identifier) @parameter))",
        "result: (_) @return",
    )
    + """
(func_literal) @lambda
(func_literal parameters: (parameter_list (_ name: (identifier) @parameter)))
(func_literal result: (_) @return)
(call_expression function: (index_expression
  operand: [(identifier) @reference (selector_expression field: (field_identifier) @reference)]))
(import_spec path: [(interpreted_string_literal (_) @import) (raw_string_literal (_) @import)])
"""
    + _branches(
        *("if_statement", "for_statement", "expression_case", "type_case", "communication_case"),
        logic='binary_expression operator: ["&&" "||"]',
    )
)

_RUST = (
    _heads(
        ("function_item", "function_signature_item"),
        "parameters: (parameters [(parameter pattern: (_) @parameter) (self_parameter) @parameter])",
        "return_type: (_) @return",
    )
    + """
(attribute_item) @decorator
(use_declaration argument: [(use_as_clause path: (_) @import) (scoped_identifier) @import (identifier) @import
  (scoped_use_list) @import (use_list) @import (use_wildcard) @import])
(extern_crate_declaration name: (_) @import)
(macro_invocation macro: (scoped_identifier name: (identifier) @reference))
(impl_item trait: [(generic_type type: (type_identifier) @reference)
  (scoped_type_identifier name: (type_identifier) @reference)])
(call_expression function: (scoped_identifier name: (identifier) @reference))
(call_expression function: (generic_function function: [(identifier) @reference
  (scoped_identifier name: (identifier) @reference) (field_expression field: (field_identifier) @reference)]))
"""
    + _branches(
        *("if_expression", "match_arm", "for_expression", "while_expression", "loop_expression", "try_expression"),
        logic='binary_expression operator: ["&&" "||"]',
    )
)

_JAVA_SCOPED = "(scoped_type_identifier (type_identifier) @reference .)"
_JAVA_TYPE = f"[{_JAVA_SCOPED} (generic_type [(type_identifier) @reference {_JAVA_SCOPED}])]"
_JAVA = (
    _heads(
        ("method_declaration", "constructor_declaration"),
        "parameters: (formal_parameters [(formal_parameter name: (identifier) @parameter)"
        " (spread_parameter (variable_declarator name: (identifier) @parameter))])",
    )
    + f"""
(compact_constructor_declaration) @scope
(switch_label . (_)) @branch
(object_creation_expression type: {_JAVA_TYPE})
(superclass {_JAVA_TYPE})
(type_list {_JAVA_TYPE})
(method_reference (identifier) @reference .)
(method_declaration type: (_) @return)
(modifiers [(annotation) (marker_annotation)] @decorator)
(import_declaration [(scoped_identifier) (identifier)] @import)
"""
    + _branches(
        *("if_statement", "for_statement", "enhanced_for_statement", "while_statement", "do_statement"),
        *("catch_clause", "ternary_expression"),
        logic='binary_expression operator: ["&&" "||"]',
    )
)

_C_LIST = "parameters: (parameter_list (_ declarator: (_) @parameter))"
_C_FUNCTION = f"(function_declarator {_C_LIST})"
_C_POINTERS = f"(pointer_declarator declarator: [{_C_FUNCTION} (pointer_declarator declarator: {_C_FUNCTION})])"
_C_HEADS = """
(function_definition) @scope
(case_statement value: (_)) @branch
(function_definition type: (_) @return)
(preproc_include path: [(string_literal (string_content) @import) (system_lib_string) @import])
"""
_C_TYPES = ("if_statement", "for_statement", "while_statement", "do_statement")
_C_LOGIC = 'binary_expression operator: ["&&" "||"]'
_C = (
    _C_HEADS
    + f"""
(function_definition declarator: [{_C_FUNCTION} {_C_POINTERS}])
(call_expression function: [(identifier) @reference (field_expression field: (field_identifier) @reference)])
"""
    + _branches(*_C_TYPES, "conditional_expression", logic=_C_LOGIC)
)
_CPP_TEMPLATE = "(template_function name: (identifier) @reference)"
_CPP = (
    _C_HEADS
    + f"""
(function_definition declarator: [{_C_FUNCTION} {_C_POINTERS} (reference_declarator {_C_FUNCTION})])
(function_definition declarator: (function_declarator (trailing_return_type (_) @return)))
(lambda_expression) @lambda
(lambda_expression declarator: (_ {_C_LIST}))
(lambda_expression declarator: (_ (trailing_return_type (_) @return)))
(call_expression function: [(identifier) @reference {_CPP_TEMPLATE}
  (field_expression field: [(field_identifier) @reference (template_method name: (field_identifier) @reference)])
  (qualified_identifier name: [(identifier) @reference {_CPP_TEMPLATE}
    (qualified_identifier name: [(identifier) @reference {_CPP_TEMPLATE}])])])
(new_expression type: [(type_identifier) @reference (qualified_identifier name: (type_identifier) @reference)
  (template_type name: (type_identifier) @reference)])
(base_class_clause [(type_identifier) @reference (template_type name: (type_identifier) @reference)
  (qualified_identifier name: [(type_identifier) @reference (template_type name: (type_identifier) @reference)])])
(attribute_declaration) @decorator
"""
    + _branches(*_C_TYPES, "for_range_loop", "catch_clause", "conditional_expression", logic=_C_LOGIC)
)

_CS_GENERIC = "(generic_name [(identifier) @reference (type_argument_list (identifier) @reference)])"
_CS_NAME = f"[(identifier) @reference {_CS_GENERIC}]"
_CS_TYPE = f"[(identifier) @reference {_CS_GENERIC} (qualified_name name: {_CS_NAME})]"
_CSHARP = (
    _heads(
        (
            *("method_declaration", "constructor_declaration", "destructor_declaration", "local_function_statement"),
            *("operator_declaration", "conversion_operator_declaration"),
        ),
        "parameters: (parameter_list [(parameter name: (identifier) @parameter) name: (identifier) @parameter])",
    )
    + f"""
(method_declaration returns: (_) @return)
(local_function_statement type: (_) @return)
(operator_declaration type: (_) @return)
(conversion_operator_declaration type: (_) @return)
(attribute_list) @decorator
(switch_section . "case") @branch
(using_directive !name [(identifier) (qualified_name)] @import)
(using_directive name: (_) (_) @import)
(invocation_expression function: [(identifier) @reference {_CS_GENERIC} (member_access_expression name: {_CS_NAME})
  (conditional_access_expression (member_binding_expression name: {_CS_NAME}))])
(object_creation_expression type: {_CS_TYPE})
(base_list {_CS_TYPE})
"""
    + _branches(
        *("if_statement", "for_statement", "foreach_statement", "while_statement", "do_statement", "catch_clause"),
        *("conditional_expression", "switch_expression_arm"),
        logic='binary_expression operator: ["&&" "||" "??"]',
    )
)

_RUBY = (
    _heads(
        ("method", "singleton_method"),
        "parameters: (method_parameters [(identifier) @parameter (_ name: (identifier) @parameter)])",
    )
    + """
(call method: (identifier) @caller
  arguments: (argument_list . (simple_symbol)? . (string (string_content) @argument) .))
(call receiver: [(constant) @reference (scope_resolution name: (constant) @reference)])
(superclass [(constant) @reference (scope_resolution name: (constant) @reference)])
(argument_list [(constant) @reference (scope_resolution name: (constant) @reference)])
"""
    + _branches(
        *("if", "unless", "elsif", "while", "until", "for", "when", "in_clause", "rescue", "conditional"),
        *("if_modifier", "unless_modifier", "while_modifier", "until_modifier"),
        logic='binary operator: ["&&" "||" "and" "or"]',
    )
)

_PHP_STRING = "[(string (string_content) @import) (encapsed_string . (string_content) @import .)]"
_PHP = (
    _heads(
        ("function_definition", "method_declaration"),
        "parameters: (formal_parameters (_ name: (variable_name) @parameter))",
        "return_type: (_) @return",
    )
    + """
(attribute_list) @decorator
(namespace_use_declaration (namespace_use_clause . [(qualified_name) (name)] @import))
(namespace_use_declaration body: (namespace_use_group)) @import
"""
    + "".join(
        f"({word}_expression [{_PHP_STRING} (binary_expression right: {_PHP_STRING})"
        f" (parenthesized_expression [{_PHP_STRING} (binary_expression right: {_PHP_STRING})])])\n"
        for word in ("require", "require_once", "include", "include_once")
    )
    + """
(function_call_expression function: (name) @reference)
(object_creation_expression (name) @reference)
(nullsafe_member_call_expression name: (name) @reference)
(scoped_call_expression scope: [(name) @reference (qualified_name (name) @reference)])
(base_clause [(name) @reference (qualified_name (name) @reference)])
(class_interface_clause (qualified_name (name) @reference))
(use_declaration [(name) @reference (qualified_name (name) @reference)])
"""
    + _branches(
        *("if_statement", "else_if_clause", "for_statement", "foreach_statement", "while_statement", "do_statement"),
        *("case_statement", "catch_clause", "conditional_expression", "match_conditional_expression"),
        logic='binary_expression operator: ["&&" "||" "??" "and" "or"]',
    )
)

_BASH = """
(function_definition) @scope
(command name: (command_name (word) @reference))
(command name: (command_name (word) @caller) . argument: [(word) (string) (raw_string)] @argument)
(list ["&&" "||"] @branch)
""" + _branches("if_statement", "elif_clause", "for_statement", "c_style_for_statement", "while_statement", "case_item")

#: Behind ``from . import``, and in ``use Foo\\{Bar, Baz as B}``.
_PYTHON_GROUP = re.compile(r"from\s*(\.[.\s]*)import\b(.*)", re.DOTALL)
_PHP_GROUP = re.compile(r"use\s++(?:function\s++|const\s++)?+([^{]*+)\{(.*)", re.DOTALL)

_SLASHES = (b"//", b"/*")
_REQUIRE = frozenset({b"require"})
_JS_IMPORTERS = _REQUIRE | {b"import"}
_RUBY_IMPORTERS = _REQUIRE | {b"require_relative", b"load", b"autoload"}

TABLES: Mapping[str, FactsTable] = {
    "tree_sitter_python": FactsTable(_PYTHON, group=_PYTHON_GROUP),
    "tree_sitter_javascript": FactsTable(
        _heads(_JS_FUNCTIONS, _JS_PARAMETERS)
        + "".join(f"({name} {_JS_PARAMETERS})\n" for name in _JS_LAMBDAS)
        + _JS_BASES
        + _JS_COMMON,
        docs=_SLASHES,
        importers=_JS_IMPORTERS,
        uses_tags=False,
        elements=_ELEMENTS,
    ),
    "tree_sitter_typescript": FactsTable(
        _heads((*_JS_FUNCTIONS, *_TS_SIGNATURES), _TS_PARAMETERS, _TS_RETURNS)
        + "".join(f"({name} {_TS_PARAMETERS})\n({name} {_TS_RETURNS})\n" for name in _JS_LAMBDAS)
        + _TS_OWN
        + _JS_COMMON,
        docs=_SLASHES,
        importers=_JS_IMPORTERS,
        elements=_ELEMENTS,
    ),
    "tree_sitter_go": FactsTable(_GO, docs=_SLASHES),
    "tree_sitter_rust": FactsTable(_RUST, "::", docs=(b"///", b"/**"), name=_RUST_NAME),
    "tree_sitter_java": FactsTable(_JAVA, docs=(b"/**",)),
    "tree_sitter_c": FactsTable(_C, docs=_SLASHES, declarators=True),
    "tree_sitter_cpp": FactsTable(_CPP, "::", docs=_SLASHES, declarators=True),
    "tree_sitter_c_sharp": FactsTable(_CSHARP, docs=(b"///", b"/**")),
    "tree_sitter_ruby": FactsTable(
        _RUBY,
        "::",
        docs=(b"#",),
        importers=_RUBY_IMPORTERS,
        # What `class << self` holds is called as what stands beside it is.
        silent=frozenset({"self"}),
        name=_RUBY_NAME,
    ),
    "tree_sitter_php": FactsTable(_PHP, "::", docs=(b"/**",), group=_PHP_GROUP),
    "tree_sitter_bash": FactsTable(_BASH, docs=(b"#",), importers=frozenset({b"source", b"."}), name=_BASH_NAME),
}
