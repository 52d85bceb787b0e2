"""How atoms are joined: three ways, each with its own promise, all within the limit."""

from __future__ import annotations

import random
from itertools import pairwise
from zlib import adler32

import pytest

from pipeline.chunk_atoms import RANK_BYTES, Atom
from pipeline.chunk_pack import ALONE, CRUMB, MAX_LEVELS, WELL_FILLED, Packer, Packing


def row(sizes: list[int], *, depth: int = 0, is_definition: bool = False) -> list[Atom]:
    """Return atoms of these sizes side by side."""
    atoms, start = [], 0
    for size in sizes:
        atoms.append(Atom(start, start + size, depth, 0, is_glued=False, is_definition=is_definition))
        start += size
    return atoms


#: Cuts behind which the text is the same are alike; in this one no two are.
TEXT = random.Random(1).randbytes(4_000)


def sizes(
    atoms: list[Atom], packing: Packing, limit: int = 100, target: int = 100, text: bytes = bytes(4_000)
) -> list[int]:
    ends = Packer(text, atoms, limit, target, packing).ends()
    return [end - start for start, end in pairwise([0, *ends])]


def test_greedy_fills_each_chunk_from_the_left() -> None:
    assert sizes(row([30, 30, 30, 30, 30]), Packing.GREEDY) == [90, 60]


def test_balanced_has_the_smallest_piece_find_a_neighbour_first() -> None:
    assert sizes(row([45, 50, 10, 60]), Packing.BALANCED) == [45, 60, 60]
    assert sizes(row([60, 10, 50, 45]), Packing.BALANCED) == [60, 60, 45]


def test_a_small_piece_joins_the_neighbour_that_is_not_well_filled() -> None:
    assert sizes(row([70, 10, 45]), Packing.BALANCED) == [70, 55]
    assert sizes(row([45, 10, 70]), Packing.BALANCED) == [55, 70]
    assert sizes(row([70, 10, 95]), Packing.BALANCED) == [80, 95]


def test_sizes_of_as_many_bits_are_alike_so_that_the_text_behind_the_cuts_decides() -> None:
    atoms = row([40, 33, 50])
    first, second = atoms[1].start, atoms[2].start
    text = bytearray(4_000)
    text[first] = 1
    assert sizes(atoms, Packing.BALANCED, text=bytes(text)) == [40, 83]
    shorter = [atoms[0]._replace(start=5), *atoms[1:]]
    assert sizes(shorter, Packing.BALANCED, text=bytes(text)) == [40, 83]
    text[second] = 9
    assert sizes(atoms, Packing.BALANCED, text=bytes(text)) == [73, 50]


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


def test_of_two_neighbours_one_on_the_same_level_is_joined_first() -> None:
    tail, head, after = (atom._replace(depth=1) for atom in row([20, 20, 40]))
    atoms = [tail._replace(level=1), head._replace(level=0), after._replace(level=1)]
    assert sizes(atoms, Packing.BALANCED, target=60) == [20, 60]
    tail_of_both = [tail._replace(level=1), head._replace(level=1), after._replace(level=0)]
    assert sizes(tail_of_both, Packing.BALANCED, target=60) == [40, 40]


@pytest.mark.parametrize("packing", Packing)
def test_nothing_is_nothing(packing: Packing) -> None:
    assert sizes([], packing) == []


@pytest.mark.parametrize("packing", [Packing.BALANCED, Packing.DEFINITION])
@pytest.mark.parametrize(("limit", "target"), [(100, 100), (100, 60)])
def test_it_is_always_the_first_pair_that_is_joined(packing: Packing, limit: int, target: int) -> None:
    rng = random.Random(f"{packing}{target}")
    for _ in range(150):
        atoms, start = [], 0
        for _ in range(rng.randrange(1, 40)):
            size, depth = rng.choice([1, 2, 5, 5, 10, 10, 20, 40, 70]), rng.randrange(4)
            is_glued, is_definition = rng.random() < 0.3, rng.random() < 0.3
            level = rng.randint(0, depth)
            atoms.append(Atom(start, start + size, depth, level, is_glued=is_glued, is_definition=is_definition))
            start += size
        assert sizes(atoms, packing, limit, target, TEXT) == joined_one_by_one(atoms, packing, limit, target)


def joined_one_by_one(atoms: list[Atom], packing: Packing, limit: int, target: int) -> list[int]:
    """Do what the packer does, looking at every pair before every join."""
    is_definition = packing is Packing.DEFINITION
    rows = [each._replace(is_definition=is_definition and is_alone(each, target)) for each in atoms]
    while places := {i: place for i, pair in enumerate(pairwise(rows)) if (place := place_of(*pair, limit, target))}:
        at = min(places, key=lambda i: (places[i], i))
        left, right = rows[at : at + 2]
        depth, alone = min(left.depth, right.depth), left.is_definition or right.is_definition
        rows[at : at + 2] = [left._replace(end=right.end, depth=depth, is_definition=alone)]
    return [each.end - each.start for each in rows]


def is_alone(atom: Atom, target: int) -> bool:
    return atom.is_definition and atom.end - atom.start >= ALONE * target


def place_of(left: Atom, right: Atom, limit: int, target: int) -> tuple[int, ...] | None:
    """Return the place of a pair in the queue, None where it must not be joined."""
    smaller, larger = sorted([left.end - left.start, right.end - right.start])
    levels = min(max(left.depth - right.level, right.depth - right.level, 0), MAX_LEVELS)
    rank = adler32(TEXT[right.start : right.start + RANK_BYTES])
    place = (not right.is_glued, smaller.bit_length(), levels, larger > WELL_FILLED * target, rank)
    if right.is_glued:
        return place if smaller + larger <= limit else None
    is_parted = smaller >= CRUMB * target and (left.is_definition or right.is_definition)
    return None if smaller + larger > target or is_parted else place
