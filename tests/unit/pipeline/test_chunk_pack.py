"""How atoms are joined: three ways, each with its own promise, all within the limit."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.chunk_atoms import Atom
from pipeline.chunk_pack import Packer, Packing


def row(sizes: list[int], *, depth: int = 0, is_definition: bool = False) -> list[Atom]:
    """Return atoms of these sizes side by side."""
    atoms, start = [], 0
    for size in sizes:
        atoms.append(Atom(start, start + size, depth, 0, is_glued=False, is_definition=is_definition))
        start += size
    return atoms


def sizes(atoms: list[Atom], packing: Packing, limit: int = 100, target: int = 100) -> list[int]:
    ends = Packer(atoms, limit, target, packing).ends()
    return [end - start for start, end in pairwise([0, *ends])]


def test_greedy_fills_each_chunk_from_the_left() -> None:
    assert sizes(row([30, 30, 30, 30, 30]), Packing.GREEDY) == [90, 60]


def test_balanced_joins_the_smallest_pair_first() -> None:
    assert sizes(row([60, 30, 20, 70]), Packing.BALANCED) == [60, 50, 70]


def test_a_definition_stands_alone_from_a_fifth_of_the_target_on() -> None:
    atoms = row([25, 19, 19, 30], is_definition=True)
    assert sizes(atoms, Packing.DEFINITION) == [25, 38, 30]
    assert sizes(atoms, Packing.BALANCED) == [93]


def test_a_definition_that_stands_alone_takes_in_crumbs() -> None:
    crumb, function, other = row([9, 50, 30], is_definition=True)
    assert sizes([crumb._replace(is_definition=False), function, other], Packing.DEFINITION) == [59, 30]


def test_what_is_joined_to_a_definition_that_stands_alone_is_no_bridge() -> None:
    comment, function, other = row([10, 50, 30], is_definition=True)
    atoms = [comment._replace(is_definition=False), function._replace(is_glued=True), other]
    assert sizes(atoms, Packing.DEFINITION) == [60, 30]


@pytest.mark.parametrize("packing", Packing)
def test_what_is_glued_stays_together_up_to_the_limit_even_above_the_target(packing: Packing) -> None:
    first, second, third = row([45, 45, 45])
    atoms = [first, second._replace(is_glued=True), third._replace(is_glued=True)]
    assert sizes(atoms, packing, limit=100, target=50) == [90, 45]


@pytest.mark.parametrize("packing", Packing)
def test_no_chunk_is_joined_above_the_target(packing: Packing) -> None:
    packed = sizes(row([7, 31, 5, 44, 18, 29, 3, 50, 11]), packing, limit=100, target=60)
    assert sum(packed) == 198
    assert max(packed) <= 60


def test_the_tail_of_one_function_and_the_head_of_the_next_are_joined_last() -> None:
    tail, head, after = (atom._replace(depth=1) for atom in row([20, 20, 40]))
    atoms = [tail._replace(level=1), head._replace(level=0), after._replace(level=1)]
    assert sizes(atoms, Packing.BALANCED, target=60) == [20, 60]
    assert sizes([atom._replace(level=0) for atom in atoms], Packing.BALANCED, target=60) == [40, 40]


@pytest.mark.parametrize("packing", Packing)
def test_nothing_is_nothing(packing: Packing) -> None:
    assert sizes([], packing) == []
