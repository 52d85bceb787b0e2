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
