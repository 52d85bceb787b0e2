"""A chunk is called by the innermost definition that it is, or is a part of, whatever closes around it."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.parser import parse
from pipeline.types import Chunk, DocumentRef

DOCUMENT = DocumentRef(UUID(int=1), "a", "", 1, b"r")
SMALL = ChunkBudget(300, 300)


def cut(source: str, language: str) -> list[Chunk]:
    text = source.encode()
    return list(chunk(DOCUMENT, text, parse(text, language), SMALL).chunks)


def called(piece: Chunk) -> tuple[str, str, tuple[str, ...]]:
    return piece.kind, piece.name, piece.scope


def symbol(piece: Chunk) -> str:
    assert piece.facts is not None
    return piece.facts.symbol


def statements(count: int, indent: str) -> str:
    return "".join(f"{indent}call_{i}(1234567890);\n" for i in range(count))


@pytest.mark.parametrize(
    ("language", "source", "scope", "qualified"),
    [
        (
            "ruby",
            "module Shop\n  class Order\n    def total\n{0}    end\n\n    def refund\n{0}    end\n  end\nend\n",
            ("Shop", "Order"),
            "Shop::Order::refund",
        ),
        (
            "rust",
            "mod shop {{\nimpl Order {{\n    fn total() {{\n{0}    }}\n\n    fn refund() {{\n{0}    }}\n}}\n}}\n",
            ("shop", "Order"),
            "shop::Order::refund",
        ),
        (
            "cpp",
            "namespace shop {{\nvoid total() {{\n{0}}}\n\nvoid refund() {{\n{0}}}\n\n}}  // namespace shop\n",
            ("shop",),
            "shop::refund",
        ),
        (
            "cpp",
            "class Order {{\n  void total() {{\n{0}  }}\n\n  void refund() {{\n{0}  }}\n}};\n",
            ("Order",),
            "Order::refund",
        ),
        (
            "typescript",
            "namespace Shop {{\nclass Order {{\n  total() {{\n{0}  }}\n\n  refund() {{\n{0}  }}\n}}\n}}\n",
            ("Shop", "Order"),
            "Shop.Order.refund",
        ),
    ],
)
def test_what_closes_around_the_last_definition_is_no_part_of_it(
    language: str, source: str, scope: tuple[str, ...], qualified: str
) -> None:
    last = cut(source.format(statements(8, "        ")), language)[-1]
    assert (last.name, last.scope, symbol(last)) == ("refund", scope, qualified)


def test_the_last_part_of_a_cut_method_has_the_scope_of_the_others() -> None:
    source = f"namespace Shop {{\n  class Order {{\n    total() {{\n{statements(30, '      ')}    }}\n  }}\n}}\n"
    pieces = cut(source, "typescript")
    assert len(pieces) > 2
    assert {called(piece) for piece in pieces} == {("method", "total", ("Shop", "Order", "total"))}


def test_the_last_keys_of_an_object_are_in_it() -> None:
    keys = ",\n".join(f'    "key_{i}": "{"x" * 30}"' for i in range(14))
    pieces = cut(f'{{"a": {{\n  "b": {{\n{keys}\n  }}\n}}}}\n', "json")
    assert {called(piece) for piece in pieces} == {("key", "b", ("a", "b"))}


def test_the_comment_behind_the_last_definition_does_not_end_it() -> None:
    rest = "# " + "-" * 9 + "\n# the next part\n"
    method = "    def {}(self):\n" + "        call(1234567890)\n" * 7
    source = f"class Order:\n{method.format('total')}\n{method.format('refund')}\n{rest}"
    assert called(cut(source, "python")[-1]) == ("method", "refund", ("Order",))


#: A file in a namespace for its rest, and in braces; the namespace's name.
IN_NAMESPACE = [
    ("php", "<?php\n\ndeclare(strict_types=1);\n\nnamespace App\\Orders;\n\nuse A\\B;\n\n{0}", "App\\Orders"),
    ("php", "<?php\n\nnamespace App\\Orders {{\n\nuse A\\B;\n\n{0}}}\n", "App\\Orders"),
    ("csharp", "using System;\n\nnamespace Shop.Orders;\n\nusing A.B;\n\n{0}", "Shop.Orders"),
    ("csharp", "using System;\n\nnamespace Shop.Orders\n{{\nusing A.B;\n\n{0}}}\n", "Shop.Orders"),
]
SEPARATORS = {"php": "::", "csharp": "."}
in_namespace = pytest.mark.parametrize(("language", "form", "name"), IN_NAMESPACE, ids=["php", "php{}", "c#", "c#{}"])


@in_namespace
def test_a_namespace_is_around_the_only_class_of_a_small_file(language: str, form: str, name: str) -> None:
    (only,) = cut(form.format("/** Doc. */\nclass Order\n{\n}\n"), language)
    assert called(only) == ("class", "Order", (name,))
    assert only.facts is not None
    assert (only.facts.symbol, only.facts.doc) == (f"{name}{SEPARATORS[language]}Order", "Doc.")
    assert [signature.rstrip(";") for signature in only.scope_signatures] == [f"namespace {name}"]


@in_namespace
def test_a_namespace_is_around_every_method_of_a_large_class(language: str, form: str, name: str) -> None:
    word = {"php": "function", "csharp": "int"}[language]
    body = statements(6, "        ")
    methods = "\n".join(f"    public {word} {each}()\n    {{\n{body}    }}\n" for each in ("total", "refund"))
    pieces = cut(form.format(f"class Order\n{{\n{methods}}}\n"), language)
    assert [called(piece) for piece in pieces] == [
        ("method", "total", (name, "Order")),
        ("method", "refund", (name, "Order")),
    ]


@in_namespace
def test_a_namespace_names_the_chunk_that_holds_several_classes_of_it(language: str, form: str, name: str) -> None:
    (only,) = cut(form.format("class Order {}\nclass Item {}\n"), language)
    assert (only.kind, only.name, symbol(only)) == ("namespace", name, name)


@in_namespace
def test_a_class_that_fits_is_whole_in_a_namespace(language: str, form: str, name: str) -> None:
    whole = f"class Order\n{{\n{statements(11, '//')}}}\n"
    assert len(whole) <= SMALL.max_bytes < len(form.format(whole))
    last = cut(form.format(whole), language)[-1]
    assert called(last) == ("class", "Order", (name,))
    assert last.end - last.start >= len(whole)


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("mod a {{ mod b {{\n/// Doc.\nfn f() {{}}\n}} }}\n", "function", "f"),
        ("mod a {{ mod b {{\nfn f() {{}}\nfn g() {{}}\n}} }}\n", "namespace", "b"),
        ("mod a {{ mod b {{\nfn f() {{}}\n}}\nfn g() {{}} }}\n", "namespace", "a"),
        ("mod a {{ mod b {{\nfn f() {{}}\ncall!();\n}} }}\n", "namespace", "b"),
        ("mod a {{ call!();\nmod b {{\nfn f() {{}}\n}} }}\n", "namespace", "a"),
        ("mod a {{ mod b {{\n}} }}\n", "namespace", "b"),
        ("mod a {{ fn f() {{}} }}\nmod b {{ fn g() {{}} }}\n", "mixed", ""),
        ("mod a {{ fn f() {{}} }}\ncall!();\n", "mixed", ""),
    ],
)
def test_a_namespace_is_only_the_place_of_the_one_definition_in_it(source: str, kind: str, name: str) -> None:
    (only,) = cut(source.format(), "rust")
    assert (only.kind, only.name) == (kind, name)


def test_what_is_exported_by_name_is_no_part_of_the_last_method() -> None:
    body = statements(7, "    ")
    source = f"class Order {{\n  total() {{\n{body}  }}\n\n  refund() {{\n{body}  }}\n}}\n\nexport default Order;\n"
    assert called(cut(source, "javascript")[-1]) == ("method", "refund", ("Order",))
