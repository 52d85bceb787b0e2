"""People read of a result what there is to say, a line each, and nothing that says nothing."""

from __future__ import annotations

import pytest

from pipeline.facts import ChunkFacts
from worker.cli.facts import describe_facts


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (ChunkFacts(), []),
        (ChunkFacts(symbol="Store"), ["symbol: Store"]),
        (ChunkFacts(symbol="f", complexity=1), ["symbol: f(), complexity 1"]),
        (
            ChunkFacts(symbol="K.f", parameters=("self", "a"), returns="int", complexity=7, part=2, parts=3),
            ["symbol: K.f(self, a) -> int, complexity 7, part 2 of 3"],
        ),
        (ChunkFacts(doc="Find it.", decorators=("@a", "@b(1)")), ["doc: Find it.", "decorators: @a, @b(1)"]),
        (ChunkFacts(references=("x", "y")), ["uses: x, y"]),
        (ChunkFacts(has_error=True), ["its syntax is broken"]),
    ],
)
def test_each_fact_has_its_line(facts: ChunkFacts, lines: list[str]) -> None:
    assert list(describe_facts(facts)) == lines


def test_of_many_names_some_are_shown_and_the_others_counted() -> None:
    (line,) = describe_facts(ChunkFacts(references=tuple(f"n{i}" for i in range(20))))
    assert line.endswith("n10, n11 and 8 more")
