"""What is written at the head of definitions is found in every language that has a table, and counted as it should."""

from __future__ import annotations

from importlib import import_module

import pytest
import tree_sitter
from harness.facts_samples import SAMPLES, Known

from pipeline.chunk_facts import imported_modules
from pipeline.facts import DefinitionFacts, Span
from pipeline.parse import facts as limits
from pipeline.parse.facts_query import table_of
from pipeline.parse.languages import LANGUAGES, grammar_of, language_of
from pipeline.parse.parser import parse

#: The languages that are outlined and have facts; each needs a sample.
WITH_FACTS = sorted(name for name in LANGUAGES if table_of(name) is not None)


def test_the_languages_with_facts_are_at_least_these() -> None:
    assert set(WITH_FACTS) >= {"python", "javascript", "typescript", "tsx"}


def words(source: str, spans: tuple[Span, ...]) -> list[str]:
    return [source.encode()[start:end].decode() for start, end in spans]


def known(source: str, language: str, name: str) -> Known:
    outline = parse(source.encode(), language)
    assert outline.facts is not None
    at = next(i for i, node in enumerate(outline.nodes) if node.name == name)
    found = outline.facts.definitions.get(at, DefinitionFacts())
    doc, returns = (None if span is None else words(source, (span,))[0] for span in (found.doc, found.returns))
    return Known(found.complexity, doc, words(source, found.parameters), returns, words(source, found.decorators))


@pytest.mark.parametrize("language", WITH_FACTS)
def test_what_is_written_at_the_head_of_a_definition_is_found(language: str) -> None:
    sample = SAMPLES[language]
    assert known(sample.source, language, sample.name) == sample.known


@pytest.mark.parametrize("language", WITH_FACTS)
def test_imports_and_references_are_found(language: str) -> None:
    sample = SAMPLES[language]
    data = sample.source.encode()
    outline = parse(data, language)
    facts = outline.facts
    assert facts is not None
    assert list(imported_modules(data, outline)) == sample.imports
    assert all(any(data.startswith(name.encode(), at) for at in facts.references) for name in sample.references)
    assert facts.errors == ()


@pytest.mark.parametrize("language", ["text", "json", "yaml", "markdown", "nonsense"])
def test_a_language_without_a_table_has_no_facts(language: str) -> None:
    assert parse(b"a: 1\n", language).facts is None


def test_facts_can_be_left_out() -> None:
    source = SAMPLES["python"].source.encode()
    without = parse(source, "python", with_facts=False)
    assert without.facts is None
    assert without.nodes == parse(source, "python").nodes


def test_a_file_that_is_not_in_its_language_has_no_facts() -> None:
    assert parse(b"<html><body>" * 50, "python").facts is None


@pytest.mark.parametrize("language", WITH_FACTS)
def test_what_the_grammars_own_tags_call_a_definition_is_one_in_the_outline(language: str) -> None:
    tags = getattr(import_module(language_of(language).module), "TAGS_QUERY", None)
    grammar, source = grammar_of(language), SAMPLES[language].source.encode()
    assert grammar is not None
    tree = tree_sitter.Parser(grammar).parse(source)
    matches = tree_sitter.QueryCursor(tree_sitter.Query(grammar, tags or "(ERROR) @name")).matches(tree.root_node)
    kinds = {"definition.function", "definition.method", "definition.class", "definition.interface"}
    tagged = {found["name"][0].text for _, found in matches if kinds & found.keys()}
    outlined = {node.name.encode() for node in parse(source, language).nodes if node.name}
    assert tagged <= outlined
    assert tagged or not tags


# --- what counts where


def complexity(source: str, name: str, language: str = "python") -> int:
    return known(source, language, name).complexity


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("pass", 1),
        ("if a: pass\n    elif b: pass\n    else: pass", 3),
        ("return [x for x in a if x]", 3),
        ("return a and b or c", 3),
        ("match a:\n        case 1: pass\n        case _: pass", 3),
        ("try: pass\n    except A: pass\n    except B: pass", 3),
        ("return lambda x: 1 if x else 2", 2),
    ],
)
def test_complexity_is_one_more_than_the_branches(body: str, paths: int) -> None:
    assert complexity(f"def f(a, b, c):\n    {body}\n", "f") == paths


def test_the_branches_of_a_nested_definition_are_its_own() -> None:
    inner = "    def inner(a):\n" + "        if a: pass\n" * 60
    source = f"def outer(a):\n    if a: pass\n{inner}    if a: pass\n"
    assert (complexity(source, "outer"), complexity(source, "inner")) == (3, 61)
    small = "def outer(a):\n    if a: pass\n    def inner():\n        if a: pass\n"
    assert complexity(small, "outer") == 2, "also where it is too small to be outlined"


def test_an_anonymous_function_counts_where_it_stands_and_a_named_one_for_itself() -> None:
    source = "function f(a) { a.map((x) => x ? 1 : 2); }\nconst g = (a) => { if (a) { go(() => a && 1) } };\n"
    assert (complexity(source, "f", "javascript"), complexity(source, "g", "javascript")) == (2, 3)


def test_a_class_has_no_complexity_and_its_methods_have_theirs() -> None:
    source = "class K:\n    x = 1 if y else 2\n    def f(self):\n        if self: pass\n"
    assert (complexity(source, "K"), complexity(source, "f")) == (0, 2)


def test_parameters_behind_a_function_as_default_are_not_lost_and_its_own_not_taken() -> None:
    source = "function f(a = (x) => x, b) { return (c) => c; }\n"
    assert known(source, "javascript", "f").parameters == ["a", "b"]


# --- bounds


def test_a_function_behind_one_whose_header_is_forgotten_keeps_its_own_facts() -> None:
    first = b"T *f(T *a) {\n  /* " + b"nothing yet " * 60 + b"*/\n}\n\n"
    outline = parse(first + b"T *g(T *b) {\n  if (b) { return h(b); }\n  return 0;\n}\n", "c")
    assert outline.facts is not None
    about = {outline.nodes[i].name: each for i, each in outline.facts.definitions.items()}
    assert [(each.complexity, len(each.parameters)) for each in about.values()] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("head", "doc"),
    [
        ("class Order\n  # Words.\n", "Words."),
        ("class Order < Base # other\n\n  # Words.\n  # More.\n", "Words."),
        ("class << self\n  # Words.\n", "Words."),
        ("module Shop\n  # Other.\n\n  # Words.\n", "Words."),
        ("module Shop\n  # Other.\n\n", None),
        ("module Shop # other\n", None),
        (f"class Order < Struct.new({', '.join(f':member_{i}' for i in range(60))})\n  # Words.\n", "Words."),
    ],
)
def test_the_first_member_of_a_ruby_class_has_the_comment_above_it(head: str, doc: str | None, newline: str) -> None:
    for member in ("  def total; end\nend\n", "  class Total\n    X = 1\n  end\nend\n"):
        source = (head + member).replace("\n", newline)
        assert known(source, "ruby", "total" if "def" in member else "Total").doc == doc


def test_only_what_an_importer_is_given_is_an_import() -> None:
    source = "f(require('a'), g('b'));\ng('c');\nrequire('d' + e);\nrequire('f');\nrequire(g('h'));\n"
    facts = parse(source.encode(), "javascript").facts
    assert facts is not None
    assert words(source, facts.imports) == ["a", "f"]


def test_lists_are_bounded() -> None:
    parameters = ", ".join(f"p{i}" for i in range(100))
    decorators = "".join(f"@d{i}\n" for i in range(30))
    found = known(f"{decorators}def f({parameters}): pass\n", "python", "f")
    assert len(found.parameters) == limits.MAX_PARAMETERS
    assert len(found.decorators) == limits.MAX_DECORATORS
    facts = parse("".join(f"import module{i}\nf()\n" for i in range(900)).encode(), "python").facts
    assert facts is not None
    assert len(facts.imports) == limits.MAX_IMPORTS
    assert len(facts.references) == 900
    dense = parse(b"f();" * 4000, "javascript").facts
    assert dense is not None
    assert len(dense.references) == limits.FREE_REFERENCES + 4000 * 4 // limits.BYTES_PER_REFERENCE


def test_the_places_of_errors_are_known() -> None:
    source = "def f(:\n    pass\n\n\ndef g():\n    return 1\n" + "x = 1\n" * 40
    facts = parse(source.encode(), "python").facts
    assert facts is not None
    assert facts.errors
    assert max(facts.errors) < source.index("def g")


def test_what_is_missing_is_an_error_too() -> None:
    facts = parse(b"function f() { return g(1; }\n" + b"h(1);\n" * 40, "javascript").facts
    assert facts is not None
    assert facts.errors


def test_deep_nesting_needs_no_stack_and_is_not_followed_for_ever() -> None:
    depth = 20_000
    facts = parse(b"x = " + b"a_name_that_is_long_enough(" * depth + b")" * depth, "python").facts
    assert facts is not None
    assert 100 < len(facts.references) <= limits.MAX_DEPTH
