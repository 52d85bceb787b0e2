"""What follows a heading, or a namespace without braces, is inside of it."""

from __future__ import annotations

from pipeline.parse.sections import nest_rests, nest_sections
from pipeline.types import OutlineNode


def heading(start: int, level: int) -> OutlineNode:
    return OutlineNode(start, start + 5, 0, "heading", f"h{start}", f"{'#' * level} h{start}")


def shape(nodes: list[OutlineNode]) -> list[tuple[str, int, int, int]]:
    return [(node.kind, node.depth, node.start, node.end) for node in nodes]


def test_a_deeper_heading_nests_and_a_higher_one_closes() -> None:
    nodes = nest_sections([heading(0, 1), heading(10, 3), OutlineNode(20, 30, 0, "text"), heading(40, 2)])
    assert shape(nodes) == [
        ("section", 0, 0, 45),
        ("heading", 1, 0, 5),
        ("section", 1, 10, 30),
        ("heading", 2, 10, 15),
        ("text", 2, 20, 30),
        ("section", 1, 40, 45),
        ("heading", 2, 40, 45),
    ]


def test_a_section_ends_with_its_largest_block_not_with_that_blocks_last_child() -> None:
    nodes = nest_sections([heading(0, 1), OutlineNode(10, 50, 0, "text"), OutlineNode(10, 20, 1, "text")])
    assert nodes[0].end == 50


def test_a_heading_inside_a_block_opens_no_section() -> None:
    inner = OutlineNode(10, 20, 1, "heading", "quoted", "# quoted")
    nodes = nest_sections([OutlineNode(0, 30, 0, "text"), inner])
    assert nodes == [OutlineNode(0, 30, 0, "text"), inner]


def test_a_namespace_is_around_what_follows_up_to_the_next_one() -> None:
    first, second = (OutlineNode(start, start + 5, 0, "namespace", f"n{start}", "") for start in (10, 40))
    block = OutlineNode(0, 5, 0, "block")
    nested = nest_rests(
        [block, first, OutlineNode(20, 39, 0, "class", "A"), OutlineNode(22, 25, 1, "block"), second], [1, 4]
    )
    assert shape(list(nested)) == [
        ("block", 0, 0, 5),
        ("namespace", 0, 10, 39),
        ("class", 1, 20, 39),
        ("block", 2, 22, 25),
        ("namespace", 0, 40, 45),
    ]


def test_without_a_namespace_all_nodes_stay() -> None:
    nodes = [OutlineNode(0, 5, 0, "block")]
    assert nest_rests(nodes, []) is nodes
