"""A plan accepts what changed, leaves alone what did not, and deletes only what may go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest

from pipeline.errors import ServiceUnavailable, Unreadable
from pipeline.identity import document_id, revision_of
from pipeline.intake import (
    AcceptedDeletion,
    AcceptedDocument,
    BrokenDocument,
    FreshStatus,
    OpenRun,
    PlanSummary,
    SourceRef,
)
from pipeline.plan import Found, KnownDocument, WalkItem
from pipeline.plan import Unreadable as UnreadablePath
from pipeline.policy import Skip, SkipReason
from pipeline.reading import reading_of
from pipeline.sources import FileContent, Vanished
from pipeline.types import Priority, Scope
from tasks.planning import BATCH, PlanOptions, plan_run

REF = SourceRef(uuid4(), Scope(uuid4(), uuid4()), "tenant", "project", "source", "/root")
OLD = "1:1000:1000:1:1"
NOW = 10**18


@dataclass
class ListedSource:
    """A source whose walk and contents are given. A content that is an exception is raised."""

    walk_items: list[WalkItem]
    contents: Mapping[str, bytes | Skip | Exception] = field(default_factory=dict)
    complete: bool = True
    covered: Callable[[str], bool] = lambda path: True
    reads: list[str] = field(default_factory=list)

    def covers(self, path: str) -> bool:
        return self.covered(path)

    def walk(self) -> Iterator[WalkItem]:
        yield from self.walk_items

    def read(self, path: str, *_declared: object) -> FileContent | Skip:
        self.reads.append(path)
        content = self.contents[path]
        if isinstance(content, Exception):
            raise content
        return content if isinstance(content, Skip) else FileContent(content, f"new:{path}", NOW)

    def close(self) -> None:
        pass


class FakeIntake:
    """Remembers what a plan hands it. ``joinable`` are paths that another run is bringing in."""

    def __init__(self, *known: KnownDocument) -> None:
        self.known = sorted(known, key=lambda document: document.path)
        self.joinable: set[str] = set()
        self.joined: list[str] = []
        self.slices: list[list[AcceptedDocument]] = []
        self.deletions: list[list[AcceptedDeletion]] = []
        self.broken: list[list[BrokenDocument]] = []
        self.stats: list[list[FreshStatus]] = []
        self.summary: PlanSummary | None = None
        self.fault: Exception | None = None

    @contextmanager
    def planning(
        self, source: SourceRef, priority: Priority, *, patience: float, on_wait: Callable[[], None]
    ) -> Iterator[OpenRun]:
        on_wait()
        yield OpenRun(UUID(int=7), source, priority)

    def known_documents(self, source: SourceRef, versions: str) -> Iterator[KnownDocument]:
        assert versions == "versions-1"
        yield from self.known

    def join(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> frozenset[str]:
        found = [document.path for document in documents if document.path in self.joinable]
        self.joined += found
        return frozenset(found)

    def accept(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> None:
        if self.fault is not None:
            raise self.fault
        self.slices.append(list(documents))

    def accept_deletions(self, run: OpenRun, deletions: Sequence[AcceptedDeletion]) -> None:
        self.deletions.append(list(deletions))

    def record_broken(self, run: OpenRun, broken: Sequence[BrokenDocument]) -> None:
        self.broken.append(list(broken))

    def refresh_stats(self, stats: Sequence[FreshStatus]) -> None:
        self.stats.append(list(stats))

    def close(self, run: OpenRun, summary: PlanSummary) -> None:
        self.summary = summary

    @property
    def accepted(self) -> list[AcceptedDocument]:
        return [document for documents in self.slices for document in documents]

    @property
    def deleted(self) -> list[UUID]:
        return [deletion.document_id for deletions in self.deletions for deletion in deletions]


class Report:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def opened(self, run_id: UUID) -> None:
        self.events.append(("opened", run_id))

    def waiting(self) -> None:
        self.events.append(("waiting",))

    def planned(self, seen: int, accepted: int) -> None:
        self.events.append(("planned", seen, accepted))

    def skipped(self, skip: Skip) -> None:
        self.events.append(("skipped", skip.path, skip.reason))


def known(
    path: str, content: bytes = b"old", *, generation: int = 3, is_current: bool = True, is_in_flight: bool = False
) -> KnownDocument:
    return KnownDocument(
        document_id(REF.id, path), path, OLD, revision_of(content), generation, is_current, is_in_flight
    )


def plan(intake: FakeIntake, source: ListedSource, **options: object) -> tuple[PlanSummary, Report]:
    report = Report()
    run_id = plan_run(intake, source, REF, PlanOptions("versions-1", **options), report)
    assert run_id == UUID(int=7)
    assert intake.summary is not None
    return intake.summary, report


def files(**contents: bytes | Skip | Exception) -> ListedSource:
    """Return a source of files that are all newer than what the ledger may know."""
    return ListedSource([Found(path, f"new:{path}") for path in sorted(contents)], contents)


# --- one step at a time


def test_a_new_file_is_accepted() -> None:
    intake = FakeIntake()
    summary, _ = plan(intake, ListedSource([Found("a.py", OLD)], {"a.py": b"x = 1\n"}))
    (accepted,) = intake.accepted
    expected = AcceptedDocument("a.py", "python", b"x = 1\n", revision_of(b"x = 1\n"), "", is_new=True)
    assert accepted == replace(expected, reading=reading_of("a.py", b"x = 1\n"))
    assert (summary.seen, summary.unchanged, summary.skipped, summary.withheld) == (1, 0, {}, 0)


@pytest.mark.parametrize("traits", [frozenset({"minified"}), None])
def test_a_document_of_a_kind_that_is_skipped_now_is_read_again_and_taken_out(traits: frozenset[str] | None) -> None:
    skip = Skip("a.js", SkipReason.MINIFIED)
    intake = FakeIntake(replace(known("a.js"), traits=traits), replace(known("b.js"), traits=frozenset({"test"})))
    source = ListedSource([Found("a.js", OLD), Found("b.js", OLD)], {"a.js": skip})
    summary, _ = plan(intake, source, skip_traits=frozenset({"minified", "lock"}))
    assert source.reads == ["a.js"]
    assert intake.deleted == [document_id(REF.id, "a.js")]
    assert (summary.skipped, summary.unchanged) == ({"minified": 1}, 1)


def test_taking_out_what_is_skipped_now_is_bound_by_the_deletion_guard() -> None:
    intake = FakeIntake(replace(known("a.js"), traits=frozenset({"minified"})))
    source = ListedSource([Found("a.js", OLD)], {"a.js": Skip("a.js", SkipReason.MINIFIED)})
    summary, _ = plan(intake, source, skip_traits=frozenset({"minified"}))
    assert (intake.deleted, summary.withheld) == ([], 1)
    assert "--allow-delete" in summary.message


def test_the_language_may_show_behind_a_long_licence() -> None:
    intake = FakeIntake()
    plan(intake, files(**{"a.h": b"// licence\n" * 200 + b"namespace a { class B; }\n"}))
    assert [document.language for document in intake.accepted] == ["cpp"]


def test_a_file_that_looks_as_it_did_is_not_even_read() -> None:
    intake, source = FakeIntake(known("a.py")), ListedSource([Found("a.py", OLD)])
    summary, _ = plan(intake, source)
    assert (source.reads, intake.slices, summary.seen, summary.unchanged) == ([], [], 1, 1)


def test_a_file_that_was_touched_but_not_changed_only_gets_its_status_refreshed() -> None:
    intake = FakeIntake(known("a.py", b"same"))
    summary, _ = plan(intake, files(**{"a.py": b"same"}))
    assert intake.slices == []
    assert intake.stats == [[FreshStatus(document_id(REF.id, "a.py"), 3, "", reading_of("a.py", b"same"))]]
    assert summary.unchanged == 1


def test_a_document_with_other_traits_than_before_is_accepted_and_not_waited_for() -> None:
    intake = FakeIntake(known("test_a.py", b"x"), known("test_b.py", b"x", is_current=False, is_in_flight=True))
    plan(
        intake, ListedSource([Found("test_a.py", OLD), Found("test_b.py", OLD)], {"test_a.py": b"x", "test_b.py": b"x"})
    )
    assert [each.reading.trait_names for each in intake.accepted] == [("test",), ("test",)]
    assert intake.joined == []


def test_a_status_is_recorded_only_if_it_can_be_trusted() -> None:
    class Settled(ListedSource):
        def read(self, path: str, *_declared: object) -> FileContent:
            return FileContent(b"same", "4:1000:1000:1:1", NOW)

    intake = FakeIntake(known("a.py", b"same"))
    plan(intake, Settled([Found("a.py", "new"), Found("b.py", "new")]))
    assert [fresh.stat for fresh in intake.stats[0]] == ["4:1000:1000:1:1"]
    assert intake.accepted[0].stat == "4:1000:1000:1:1"


def test_a_changed_file_is_accepted_as_no_new_document() -> None:
    intake = FakeIntake(known("a.py"))
    plan(intake, files(**{"a.py": b"changed"}))
    assert [(document.path, document.is_new) for document in intake.accepted] == [("a.py", False)]


def test_the_same_bytes_are_accepted_again_where_the_index_does_not_hold_them_as_it_should() -> None:
    intake = FakeIntake(known("a.py", b"same", is_current=False))
    plan(intake, files(**{"a.py": b"same"}))
    assert [document.is_new for document in intake.accepted] == [False]


def test_a_revision_that_another_run_brings_in_is_waited_for() -> None:
    underway = [known(path, b"same", is_current=False, is_in_flight=True) for path in ("a", "b")]
    intake = FakeIntake(*underway)
    intake.joinable = {"a"}
    plan(intake, files(a=b"same", b=b"same", c=b"new"))
    assert intake.joined == ["a"]
    assert [document.path for document in intake.accepted] == ["b", "c"], "that run may have ended meanwhile"


def test_a_slice_of_nothing_but_awaited_revisions_is_no_slice() -> None:
    intake = FakeIntake(known("a", b"same", is_current=False, is_in_flight=True))
    intake.joinable = {"a"}
    plan(intake, files(a=b"same"))
    assert intake.slices == []


def test_a_path_that_is_no_document_is_counted_by_its_reason_and_reported() -> None:
    intake = FakeIntake()
    skips = [Skip(".env", SkipReason.SECRET), Skip("b.pem", SkipReason.SECRET), Skip("c.bin", SkipReason.BINARY)]
    summary, report = plan(intake, ListedSource(list(skips)))
    assert (summary.seen, summary.skipped) == (3, {"secret": 2, "binary": 1})
    assert [event for event in report.events if event[0] == "skipped"] == [
        ("skipped", skip.path, skip.reason) for skip in skips
    ]


def test_a_file_that_turns_out_to_be_binary_is_skipped_and_its_document_deleted() -> None:
    intake = FakeIntake(known("a"), known("b"), known("c"))
    source = files(a=Skip("a", SkipReason.BINARY), b=b"old", c=b"old", d=Skip("d", SkipReason.TOO_LARGE))
    summary, _ = plan(intake, source)
    assert intake.deleted == [document_id(REF.id, "a")]
    assert summary.skipped == {"binary": 1, "too_large": 1}


def test_a_file_that_vanishes_while_it_is_planned_is_gone() -> None:
    intake = FakeIntake(known("a"), known("b"), known("c"))
    summary, _ = plan(intake, files(a=Vanished(), b=b"old", c=b"old", d=Vanished()))
    assert intake.deleted == [document_id(REF.id, "a")]
    assert (summary.seen, intake.slices) == (2, [])


def test_a_file_that_cannot_be_read_is_broken_and_its_document_stays() -> None:
    intake = FakeIntake(known("a"))
    summary, _ = plan(intake, files(a=Unreadable("no permission"), b=Unreadable("no permission")))
    assert intake.broken == [
        [
            BrokenDocument("a", "Unreadable", "no permission", is_new=False),
            BrokenDocument("b", "Unreadable", "no permission", is_new=True),
        ]
    ]
    assert (intake.deletions, intake.slices, summary.seen) == ([], [], 2)


def test_nothing_is_deleted_below_a_directory_that_cannot_be_looked_at() -> None:
    intake = FakeIntake(known("d/a"), known("d/b"), known("e"), known("f"))
    source = ListedSource([UnreadablePath("d/", "Unreadable", "m"), Found("e", OLD), Found("f", OLD)])
    plan(intake, source)
    assert [broken.path for broken in intake.broken[0]] == ["d/", "d/a", "d/b"]
    assert intake.deletions == []


# --- deletions


def test_a_document_whose_file_is_gone_is_deleted_at_the_generation_that_was_seen() -> None:
    intake = FakeIntake(known("a"), known("b"), known("c", generation=9))
    plan(intake, ListedSource([Found("a", OLD), Found("b", OLD)]))
    assert intake.deletions == [[AcceptedDeletion(document_id(REF.id, "c"), 9)]]


@pytest.mark.parametrize(
    ("walked", "complete", "options", "deleted", "message"),
    [
        ("abc", True, {}, 1, ""),
        ("a", True, {}, 0, "more than the 50%"),
        ("a", True, {"delete_share": 0.8}, 3, ""),
        ("a", True, {"allow_delete": True}, 3, ""),
        ("", True, {}, 0, "none of the 4 known documents"),
        ("", True, {"delete_share": 1.0}, 0, "none of the 4 known documents"),
        ("", True, {"allow_delete": True}, 4, ""),
        ("abc", False, {}, 0, "not all of the source was seen"),
        ("abc", False, {"allow_delete": True}, 0, "not all of the source was seen"),
    ],
)
def test_only_what_may_go_is_deleted_and_the_rest_waits_with_a_reason(
    walked: str, complete: bool, options: dict[str, object], deleted: int, message: str
) -> None:
    intake = FakeIntake(*(known(path) for path in "abcd"))
    source = ListedSource([Found(path, OLD) for path in walked], complete=complete)
    summary, _ = plan(intake, source, **options)
    assert len(intake.deleted) == deleted
    assert summary.withheld == (0 if deleted else 4 - len(walked))
    assert message in summary.message
    assert bool(message) == bool(summary.message)
    assert summary.is_complete is complete


def test_a_walk_confined_to_one_file_says_nothing_about_the_others() -> None:
    intake = FakeIntake(known("a"), known("b"), known("c"))
    summary, _ = plan(intake, ListedSource([Found("b", OLD)], covered=lambda path: path == "b"))
    assert (intake.deletions, summary.withheld, summary.seen, summary.unchanged) == ([], 0, 1, 1)


def test_a_path_that_could_never_be_read_counts_for_nothing_when_it_is_gone() -> None:
    intake = FakeIntake(known("a", generation=0), known("b"))
    summary, _ = plan(intake, ListedSource([Found("b", OLD)]))
    assert (intake.deletions, summary.withheld) == ([], 0)


# --- many


def test_files_are_accepted_in_slices_while_the_walk_goes_on() -> None:
    intake = FakeIntake()
    source = files(**{f"{number}": b"x" for number in range(5)})
    _, report = plan(intake, source, slice_documents=2)
    assert [[document.path for document in documents] for documents in intake.slices] == [["0", "1"], ["2", "3"], ["4"]]
    planned = [event for event in report.events if event[0] == "planned"]
    assert [event[2] for event in planned] == [2, 4, 5]
    assert planned[0][1] < 5, "the first slice is told before the walk has ended"


def test_a_slice_is_bounded_in_bytes_and_a_larger_file_travels_alone() -> None:
    intake = FakeIntake()
    plan(intake, files(a=b"x" * 6, b=b"x" * 6, c=b"x" * 30, d=b"x"), slice_bytes=10)
    assert [[document.path for document in documents] for documents in intake.slices] == [["a"], ["b"], ["c"], ["d"]]


def test_deletions_are_accepted_in_slices_too() -> None:
    intake = FakeIntake(*(known(f"{number}") for number in range(5)))
    plan(intake, ListedSource([]), slice_documents=2, allow_delete=True)
    assert [len(deletions) for deletions in intake.deletions] == [2, 2, 1]


def test_status_and_broken_files_are_recorded_in_batches_while_the_walk_goes_on() -> None:
    count = 2 * BATCH + 10
    names = [f"{number:05}" for number in range(count)]
    intake = FakeIntake(*(known(name, b"same") for name in names))
    plan(intake, files(**dict.fromkeys(names, b"same")))
    assert len(intake.stats) == 3
    assert sum(map(len, intake.stats)) == count

    intake = FakeIntake()
    plan(intake, files(**dict.fromkeys(names, Unreadable("m"))))
    assert len(intake.broken) == 3
    assert sum(map(len, intake.broken)) == count


def test_the_run_is_announced_before_anything_is_planned() -> None:
    _, report = plan(FakeIntake(), files(a=b"x"))
    assert report.events[:2] == [("waiting",), ("opened", UUID(int=7))]


def test_a_plan_that_fails_is_not_closed() -> None:
    intake = FakeIntake()
    intake.fault = ServiceUnavailable("Postgres")
    with pytest.raises(ServiceUnavailable):
        plan_run(intake, files(a=b"x"), REF, PlanOptions("versions-1"), Report())
    assert intake.summary is None
