from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity import NAMESPACE
from pipeline.plan import (
    Broken,
    Change,
    Delete,
    Found,
    KnownDocument,
    PlanStep,
    Read,
    Ruling,
    Skipped,
    Unchanged,
    UnorderedPaths,
    Unreadable,
    WalkItem,
    classify,
    is_stat_trusted,
    marked,
    may_delete,
    pack_slices,
    plan_walk,
)
from pipeline.policy import Skip, SkipReason
from pipeline.traits import Declared, Trait

SECOND = 1_000_000_000


def id_of(path: str) -> UUID:
    return uuid5(NAMESPACE, path)


def document(path: str, stat: str | None = "s", *, is_current: bool = True) -> KnownDocument:
    return KnownDocument(id_of(path), path, stat, b"r", 1, is_current)


def plan(walk: list[WalkItem], known: list[KnownDocument]) -> list[PlanStep]:
    return list(plan_walk(walk, known))


def test_a_new_file_is_read() -> None:
    assert plan([Found("a", "s")], []) == [Read("a", "s", None)]


def test_a_current_document_whose_stat_is_equal_is_not_read() -> None:
    assert plan([Found("a", "s")], [document("a")]) == [Unchanged(document("a"))]


@pytest.mark.parametrize("known", [document("a", "t"), document("a", None), document("a", is_current=False)])
def test_a_document_with_another_or_no_stat_or_that_is_not_current_is_read(known: KnownDocument) -> None:
    assert plan([Found("a", "s")], [known]) == [Read("a", "s", known)]


def test_a_document_of_which_something_else_is_declared_now_is_read() -> None:
    made = Declared(frozenset({Trait.GENERATED}))
    before, marked_before = document("a"), replace(document("a", marked("s", made)), traits=frozenset({"generated"}))
    assert plan([Found("a", "s", made)], [before]) == [Read("a", "s", before, made)]
    assert plan([Found("a", "s", made)], [marked_before]) == [Unchanged(marked_before)]
    assert plan([Found("a", "s")], [marked_before]) == [Read("a", "s", marked_before)]


def test_a_document_that_its_path_shows_to_be_more_than_was_known_is_read() -> None:
    known = document("test_a.py")
    assert plan([Found("test_a.py", "s")], [known]) == [Read("test_a.py", "s", known)]
    denied, current = Declared(denied=frozenset({Trait.TEST})), document("test_a.py", "s-test")
    assert plan([Found("test_a.py", "s", denied)], [current]) == [Unchanged(current)]


def test_a_document_that_the_walk_does_not_find_is_deleted() -> None:
    known = [document("a"), document("b"), document("c")]
    assert plan([Found("b", "s")], known) == [Delete(known[0]), Unchanged(known[1]), Delete(known[2])]


def test_an_empty_walk_and_an_empty_ledger_make_an_empty_plan() -> None:
    assert plan([], []) == []


def test_a_document_that_is_skipped_now_is_deleted_and_the_skip_is_reported() -> None:
    skip = Skip("a", SkipReason.SECRET)
    assert set(plan([skip], [document("a")])) == {Skipped(skip), Delete(document("a"))}


def test_documents_below_a_skipped_directory_are_deleted() -> None:
    skip = Skip("d/", SkipReason.GITIGNORED)
    steps = plan([Found("a", "s"), skip, Found("e", "s")], [document("d/x"), document("d/y")])
    assert [step for step in steps if isinstance(step, Delete)] == [Delete(document("d/x")), Delete(document("d/y"))]


def test_a_document_that_cannot_be_read_is_kept() -> None:
    steps = plan([Unreadable("a", "PermissionError", "m")], [document("a")])
    assert steps == [Broken("a", "PermissionError", "m", document("a"))]


def test_documents_below_an_unreadable_directory_are_kept_and_reported() -> None:
    walk: list[WalkItem] = [Unreadable("d/", "PermissionError", "m"), Found("e", "s")]
    assert plan(walk, [document("d/x"), document("d/y"), document("d0")]) == [
        Broken("d/", "PermissionError", "m", None),
        Broken("d/x", "PermissionError", "m", document("d/x")),
        Broken("d/y", "PermissionError", "m", document("d/y")),
        Delete(document("d0")),
        Read("e", "s", None),
    ]


@pytest.mark.parametrize("paths", [("b", "a"), ("a", "a"), ("d/x", "d-x"), ("\U0001f600", "\uffff")])
def test_a_walk_out_of_order_is_an_error(paths: tuple[str, str]) -> None:
    with pytest.raises(UnorderedPaths, match="the walk names"):
        plan([Found(path, "s") for path in paths], [])


@pytest.mark.parametrize("paths", [("b", "a"), ("a", "a"), ("a", "B")])
def test_a_ledger_out_of_order_is_an_error(paths: tuple[str, str]) -> None:
    with pytest.raises(UnorderedPaths, match="the ledger names"):
        plan([Found("z", "s")], [document(path) for path in paths])


def test_a_ledger_out_of_order_behind_the_walks_end_is_an_error_too() -> None:
    with pytest.raises(UnorderedPaths):
        plan([], [document("b"), document("a")])


def test_the_plan_streams() -> None:
    def endless() -> Iterator[WalkItem]:
        number = 0
        while True:
            yield Found(f"{number:09}", "s")
            number += 1

    steps = plan_walk(endless(), iter([document("000000001")]))
    assert [next(steps) for _ in range(2)] == [Read("000000000", "s", None), Unchanged(document("000000001"))]


@settings(max_examples=60, database=None, deadline=None)
@given(
    walk=st.dictionaries(st.text("ab/-\u00e9\U0001f600", min_size=1, max_size=4), st.sampled_from(["s", "t", None])),
    known=st.dictionaries(st.text("ab/-\u00e9\U0001f600", min_size=1, max_size=4), st.booleans()),
)
def test_the_merge_equals_a_lookup_in_dictionaries(walk: dict[str, str | None], known: dict[str, bool]) -> None:
    walk = {path.rstrip("/") + "x": stat for path, stat in walk.items()}
    known = {path.rstrip("/") + "x": is_current for path, is_current in known.items()}
    documents = {path: document(path, is_current=is_current) for path, is_current in known.items()}
    items: list[WalkItem] = [
        Unreadable(path, "E", "m") if stat is None else Found(path, stat) for path, stat in sorted(walk.items())
    ]
    expected: dict[str, PlanStep] = {path: Delete(documents[path]) for path in known if path not in walk}
    for path, stat in walk.items():
        match = documents.get(path)
        if stat is None:
            expected[path] = Broken(path, "E", "m", match)
        elif match is not None and match.is_current and stat == "s":
            expected[path] = Unchanged(match)
        else:
            expected[path] = Read(path, stat, match)
    assert plan(items, sorted(documents.values(), key=lambda each: each.path)) == [
        step for _, step in sorted(expected.items())
    ]


def test_reading_tells_new_changed_outdated_and_unchanged_apart() -> None:
    assert classify(b"r", None) is Change.NEW
    assert classify(b"q", document("a")) is Change.CHANGED
    assert classify(b"r", document("a", is_current=False)) is Change.OUTDATED
    assert classify(b"r", document("a", None)) is Change.UNCHANGED


@pytest.mark.parametrize(
    ("mtime", "ctime", "is_trusted"),
    [(8, 8, True), (8, 8.000000001, False), (9, 1, False), (1, 9, False), (11, 11, False), (1, 2, True)],
)
def test_a_stat_is_trusted_only_two_seconds_after_the_last_change(mtime: float, ctime: float, is_trusted: bool) -> None:
    stat = f"3:{round(mtime * SECOND)}:{round(ctime * SECOND)}:7:1"
    assert is_stat_trusted(stat, 10 * SECOND) is is_trusted


@pytest.mark.parametrize("stat", ["", "1:2:3", "a:b:c:d:e", "1:2:3:4:5:6"])
def test_a_malformed_stat_is_never_trusted(stat: str) -> None:
    assert not is_stat_trusted(stat, 10 * SECOND)


@pytest.mark.parametrize(
    ("known", "gone", "complete", "allowed", "ruling"),
    [
        (10, 0, True, False, Ruling.NOTHING),
        (10, 0, False, True, Ruling.NOTHING),
        (0, 0, True, False, Ruling.NOTHING),
        (10, 5, True, False, Ruling.GO),
        (10, 6, True, False, Ruling.SHARE_EXCEEDED),
        (10, 6, True, True, Ruling.GO),
        (10, 10, True, False, Ruling.EMPTY_WALK),
        (10, 10, True, True, Ruling.GO),
        (10, 1, False, False, Ruling.INCOMPLETE_WALK),
        (10, 1, False, True, Ruling.INCOMPLETE_WALK),
    ],
)
def test_deletions_need_a_complete_walk_and_a_small_share_or_consent(
    known: int, gone: int, complete: bool, allowed: bool, ruling: Ruling
) -> None:
    verdict = may_delete(known, gone, complete=complete, share=0.5, allowed=allowed)
    assert verdict.ruling is ruling
    assert verdict.is_refused is bool(verdict.message)


def test_a_walk_that_finds_nothing_is_refused_whatever_share_is_allowed() -> None:
    assert may_delete(1, 1, complete=True, share=1.0, allowed=False).ruling is Ruling.EMPTY_WALK


def test_a_refusal_says_how_to_consent_except_where_consent_does_not_help() -> None:
    assert "--allow-delete" in may_delete(9, 9, complete=True, share=0.5, allowed=False).message
    assert "--allow-delete" in may_delete(9, 8, complete=True, share=0.5, allowed=False).message
    assert "--allow-delete" not in may_delete(9, 8, complete=False, share=0.5, allowed=False).message


def slices(sizes: list[int], **bounds: int) -> list[list[int]]:
    return list(pack_slices(sizes, lambda size: size, **bounds))


def test_slices_respect_both_bounds_and_keep_the_order() -> None:
    assert slices([1, 2, 3, 4], max_bytes=5, max_documents=2) == [[1, 2], [3], [4]]
    assert slices([0, 0, 0], max_documents=2) == [[0, 0], [0]]
    assert slices([5, 5], max_bytes=10) == [[5, 5]]
    assert slices([]) == []


def test_a_document_larger_than_a_slice_travels_alone() -> None:
    assert slices([1, 11, 0, 1], max_bytes=10) == [[1], [11], [0, 1]]


def test_slices_are_made_as_the_items_come() -> None:
    endless = pack_slices(iter(lambda: 1, None), lambda size: size, max_documents=3)
    assert next(endless) == [1, 1, 1]


@pytest.mark.parametrize("bounds", [{"max_documents": 0}, {"max_bytes": 0}])
def test_a_bound_that_holds_nothing_is_an_error(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        slices([1], **bounds)


@settings(max_examples=60, database=None, deadline=None)
@given(st.lists(st.integers(0, 30)), st.integers(1, 5), st.integers(1, 20))
def test_no_slice_exceeds_a_bound_and_nothing_is_lost(sizes: list[int], documents: int, limit: int) -> None:
    packed = slices(sizes, max_documents=documents, max_bytes=limit)
    assert [size for group in packed for size in group] == sizes
    assert all(0 < len(group) <= documents and (sum(group) <= limit or len(group) == 1) for group in packed)
