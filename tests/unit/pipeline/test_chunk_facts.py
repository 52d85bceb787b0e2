"""Each chunk knows what there is to know of its definition, and a neighbour's edit never changes what is embedded."""

from __future__ import annotations

from time import thread_time
from uuid import UUID

import pytest

from pipeline import chunk_facts
from pipeline.chunk import ChunkBudget, chunk
from pipeline.facts import ChunkFacts, DefinitionFacts, FileFacts, chunk_facts_of, facts_row
from pipeline.parse.parser import OUTLINE_VERSION, parse
from pipeline.types import Chunk, ChunkSet, DocumentRef, Outline, OutlineNode

DOCUMENT = DocumentRef(UUID(int=1), "a.py", "python", 1, b"r")


def cut(source: str, language: str = "python", size: int = 300) -> ChunkSet:
    text = source.encode()
    return chunk(DOCUMENT, text, parse(text, language), ChunkBudget(size, size))


def facts(piece: Chunk) -> ChunkFacts:
    assert piece.facts is not None
    return piece.facts


def test_a_method_has_its_qualified_symbol_and_the_facts_of_its_head() -> None:
    method = (
        "    @cached\n    def find(self, key: str, *more) -> int:\n        '''Find it.\n\n        Really.'''\n"
        "        return self.load(key) or missing(key)\n"
    )
    filler = "    def other(self):\n" + "        call(1234567890)\n" * 10
    (only,) = [piece for piece in cut(f"class Store:\n{filler}\n{method}\n{filler}").chunks if piece.name == "find"]
    assert only.facts == ChunkFacts(
        symbol="Store.find",
        doc="Find it.",
        parameters=("self", "key", "more"),
        returns="int",
        decorators=("@cached",),
        complexity=2,
        references=("load", "missing"),
    )


def test_the_parts_of_a_definition_are_numbered_and_all_of_them_have_its_facts() -> None:
    source = 'def f(a):\n    """Do."""\n' + "".join(f"    value_{i} = compute_{i}({i})\n" for i in range(40))
    parts = [facts(piece) for piece in cut(source).chunks]
    assert len(parts) > 2
    assert [each.part for each in parts] == list(range(1, len(parts) + 1))
    assert {(each.symbol, each.doc, each.parameters, each.complexity, each.parts) for each in parts} == {
        ("f", "Do.", ("a",), 1, len(parts))
    }
    assert [name for each in parts for name in each.references] == [f"compute_{i}" for i in range(40)]


def test_what_is_in_the_singleton_class_of_self_is_called_as_what_stands_beside_it() -> None:
    body = "".join(f"      call_{i}(1234567890)\n" for i in range(12))
    source = f"class Foo\n  class << self\n    def create\n{body}    end\n  end\n\n  def self.load\n{body}  end\nend\n"
    pieces = cut(source, "ruby").chunks
    assert {facts(each).symbol for each in pieces if each.name in {"create", "load"}} == {"Foo::create", "Foo::load"}
    assert any("class << self" in each.scope_signatures for each in pieces)


def test_a_chunk_of_several_definitions_has_references_but_no_symbol() -> None:
    (only,) = cut("def f():\n    return h()\n\n\ndef g():\n    return f()\n").chunks
    assert only.facts == ChunkFacts(references=("h",)), "its own names are not among them"


def test_the_separator_is_the_languages() -> None:
    inner = "  run() { return " + "call(1) + " * 30 + "1; }\n"
    names = [facts(piece).symbol for piece in cut(f"class K {{\n{inner}{inner}}}\n", "javascript", 400).chunks]
    assert "K.run" in names


def test_only_the_chunk_with_the_broken_syntax_says_so() -> None:
    good = "def g():\n" + "    call(1234567890)\n" * 12
    broken = "def f(:\n" + "    call(1234567890)\n" * 12
    pieces = cut(good + "\n\n" + broken + "\n\n" + good).chunks
    assert [facts(piece).has_error for piece in pieces].count(True) == 1


@pytest.mark.parametrize("language", ["text", "json", "markdown"])
def test_a_language_without_facts_has_none(language: str) -> None:
    assert [piece.facts for piece in cut('{"a": 1}', language).chunks] == [None]


def test_without_facts_the_chunks_are_the_same_otherwise() -> None:
    text = b"import os\n\n\ndef f(a):\n    return os.walk(a)\n"
    outlines = [parse(text, "python", with_facts=each) for each in (True, False)]
    told, untold = (chunk(DOCUMENT, text, outline, ChunkBudget()) for outline in outlines)
    assert told.imports == ("os",)
    assert untold.imports == ()
    assert [piece._replace(facts=None) for piece in told.chunks] == list(untold.chunks)


def test_imports_are_the_documents_and_stand_once() -> None:
    made = cut("import os, re\nfrom os import path\nfrom . import (\n    a,\n)\n")
    assert made.imports == ("os", "re", ".a")


def test_an_edit_of_one_function_changes_no_other_chunks_input() -> None:
    parts = ["def f(a):\n" + "    call(1234567890)\n" * 12, "def g(a):\n" + "    call(1234567890)\n" * 13]
    edited = [parts[0].replace("(a):", "(a, b) -> int:").replace("call(1", "other(1", 1), parts[1]]
    before, after = (cut("\n\n".join(each)).chunks[-1] for each in (parts, edited))
    assert (before.id, before.embed_hash, before.facts) == (after.id, after.embed_hash, after.facts)


def test_words_are_bounded_and_can_be_stored() -> None:
    names = ", ".join(f"name_{i}()" for i in range(200))
    source = f'def f(a="{"x" * 500}") -> "{"y" * 500}":\n    """Long {"word " * 100}."""\n    return [{names}]\n'
    (only,) = cut(source, size=20_000).chunks
    said = facts(only)
    assert len(said.doc) == len(said.returns) == chunk_facts.MAX_WORDS
    assert said.doc.endswith("...")
    assert len(said.references) == chunk_facts.MAX_REFERENCES


def test_words_are_not_looked_for_in_all_of_a_long_span() -> None:
    # Definitions inside of the others' heads: 300 of them took 6 s.
    text = b"f(a);\n" * 300_000
    nodes = tuple(OutlineNode(at, at + 600, 0, "function", "f", "f()") for at in range(0, 180_000, 600))
    told = FileFacts({i: DefinitionFacts(1, returns=(node.start, len(text))) for i, node in enumerate(nodes)})
    outline = Outline(OUTLINE_VERSION, "python", "utf-8", len(text), has_error=False, nodes=nodes, facts=told)
    start = thread_time()
    chunks = chunk(DOCUMENT, text, outline, ChunkBudget(600, 600)).chunks
    assert thread_time() - start < 1.5
    assert facts(chunks[0]).returns.endswith("...")


def test_a_nul_which_no_database_stores_is_left_out() -> None:
    text = b"def f(): 'One\0 line.'\n"
    node = OutlineNode(0, 22, 0, "function", "f", "def f()")
    known = FileFacts({0: DefinitionFacts(1, doc=(10, 20))})
    outline = Outline(OUTLINE_VERSION, "python", "utf-16-le", len(text), False, (node,), known)
    (only,) = chunk(DOCUMENT, text, outline, ChunkBudget()).chunks
    assert facts(only).doc == "One line."


def test_names_of_any_script_are_whole() -> None:
    (only,) = cut("größe(日本())\n$x(a?.b())\n", "javascript").chunks
    assert facts(only).references == ("größe", "日本", "$x", "b")


def test_a_row_leaves_out_what_says_nothing_and_comes_back() -> None:
    said = ChunkFacts(symbol="A.b", parameters=("x", "y"), complexity=2, has_error=True)
    assert facts_row(ChunkFacts()) == {}
    assert facts_row(said) == {"symbol": "A.b", "parameters": ("x", "y"), "complexity": 2, "has_error": True}
    assert chunk_facts_of({"symbol": "A.b", "parameters": ["x", "y"], "complexity": 2, "has_error": True}) == said
    with pytest.raises(TypeError):
        chunk_facts_of({"unknown": 1})
