"""A search shows what the ledger has committed, with the text that was cut, and nothing of anybody else."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from harness.bench import Bench
from harness.revisions import functions

from models import searching
from models.searching import CommittedChunks
from pipeline.report import SearchHit
from pipeline.search import SearchMode, SearchRequest
from pipeline.types import Hit, Point, SearchFilter, Stage
from tasks.indexing import bring_to_index
from tasks.searching import MARGIN, search


@pytest.fixture
def chunks(bench: Bench) -> CommittedChunks:
    return CommittedChunks(bench.engine)


def find(
    bench: Bench,
    query: str = "text",
    limit: int = 100,
    where: SearchFilter | None = None,
    mode: SearchMode = SearchMode.DENSE,
    *,
    expand: bool = False,
) -> list[SearchHit]:
    joined = CommittedChunks(bench.engine)
    request = SearchRequest(query, limit, mode, where or SearchFilter(), expand)
    return search(bench.index, bench.embedder, joined, bench.source.scope, request)


def names(hits: list[SearchHit]) -> list[str]:
    return sorted(hit.name for hit in hits)


def test_hits_come_in_the_order_of_the_index_with_all_that_is_known(bench: Bench, chunks: CommittedChunks) -> None:
    content = "class K:\n    def first(self):\n        return 1\n\n    def second(self):\n        return 2\n"
    bench.ingest({"pack/a.py": content})
    bench.finish()
    ids = [row["id"] for row in bench.rows("SELECT id FROM chunks ORDER BY ordinal DESC")]
    hits = [Hit(point, 1.0 - rank / 10, 1) for rank, point in enumerate(ids)]
    found = chunks.join(bench.source.scope, hits)
    assert [hit.score for hit in found] == [hit.score for hit in hits]
    last = found[0]
    assert (last.path, last.language, last.scope) == ("pack/a.py", "python", ("K",))
    assert (last.kind, last.name) == ("method", "second")
    assert last.text.lstrip("\n") == "    def second(self):\n        return 2\n"
    assert last.end_line == 6
    assert last.facts is not None
    assert (last.facts.symbol, last.facts.parameters) == ("K.second", ("self",))
    assert last.traits == ()


def test_a_hit_says_what_kind_of_file_it_is_in(bench: Bench) -> None:
    bench.ingest({"vendor/test_a.py": functions("one")})
    bench.finish()
    (hit,) = find(bench)
    assert hit.traits == ("test", "vendored")


@pytest.mark.parametrize(
    ("path", "data", "text"),
    [
        ("plain.txt", b"one\r\ntwo\r\n\r\nthree\r\n", "one\r\ntwo\r\n\r\nthree\r\n"),
        ("bom.txt", b"\xef\xbb\xbfone\n", "\ufeffone\n"),
        ("wide.txt", "größe 🦀\n".encode(), "größe 🦀\n"),
        ("unmarked.txt", "one größe\n".encode("utf-16-le"), "one größe\n"),
        ("windows.txt", "“größe” ok\n".encode("cp1252"), "“größe” ok\n"),
        ("stray.txt", "größe 日本 ".encode() + b"caf\xe9\n", "größe 日本 café\n"),
        ("utf16.txt", "one größe\n".encode("utf-16"), "one größe\n"),
    ],
)
def test_the_text_of_a_hit_is_what_was_cut_from_the_file(bench: Bench, path: str, data: bytes, text: str) -> None:
    bench.ingest({path: data})
    bench.finish()
    found = sorted(find(bench), key=lambda hit: hit.start_line)
    assert "".join(hit.text for hit in found).removeprefix("\ufeff") == text.removeprefix("\ufeff")


def test_points_without_a_committed_chunk_are_not_shown(bench: Bench, chunks: CommittedChunks) -> None:
    bench.ingest({"a.py": functions("one")})
    bench.finish()
    (known,) = bench.committed()
    hits = [Hit(uuid4(), 0.9, 1), Hit(known, 0.8, 1), Hit(uuid4(), 0.7, 1)]
    assert [hit.score for hit in chunks.join(bench.source.scope, hits)] == [0.8]
    assert chunks.join(bench.source.scope, []) == []


def test_a_revision_becomes_visible_with_its_commit_and_the_old_one_invisible(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    bench.ingest({"a.py": functions("one", "new")})
    claim = bench.claim_at(Stage.UPSERT)
    seen: list[list[str]] = []
    bench.index.after["upsert"] = lambda: seen.append(names(find(bench)))
    bench.index.after["delete"] = lambda: seen.append(names(find(bench)))
    bring_to_index(bench.context, claim)
    assert seen == [["one", "two"], ["new", "one"]]
    assert names(find(bench)) == ["new", "one"]


def test_retired_points_are_hidden_while_the_index_still_has_them(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    kept = dict(bench.index.points)
    bench.ingest({"a.py": functions("one")})
    bench.finish()
    bench.index.points |= kept
    assert len(bench.index.points) == 2
    assert names(find(bench)) == ["one"]


def test_a_document_is_found_until_its_deletion_is_committed(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    bench.delete("a.py")
    assert names(find(bench)) == ["one", "two"]
    kept = dict(bench.index.points)
    bench.finish()
    bench.index.points |= kept
    assert find(bench) == []


def test_nothing_of_another_tenant_or_project_is_shown_even_if_the_index_offers_it(
    bench: Bench, chunks: CommittedChunks
) -> None:
    other = bench.sources.resolve("tenant", "other", "source", "/root")
    stranger = bench.sources.resolve("stranger", "project", "source", "/root")
    bench.ingest({"a.py": functions("mine")})
    bench.ingest({"a.py": functions("other")}, source=other)
    bench.ingest({"a.py": functions("strange")}, source=stranger)
    bench.finish()
    hits = [Hit(point, 0.5, 1) for point in bench.index.points]
    assert len(hits) == 3
    for source, name in [(bench.source, "mine"), (other, "other"), (stranger, "strange")]:
        assert names(chunks.join(source.scope, hits)) == [name]
    mixed = replace(bench.source.scope, tenant_id=stranger.scope.tenant_id)
    assert chunks.join(mixed, hits) == []


def test_strays_in_front_do_not_keep_a_search_from_its_hits(bench: Bench) -> None:
    bench.ingest({"a.py": functions(*(f"f{number}" for number in range(5)))})
    bench.finish()
    best = bench.embedder.embed_query("text")
    payload = next(iter(bench.index.points.values())).payload
    bench.index.upsert(bench.source.scope, [Point(uuid4(), 1, best, payload) for _ in range(MARGIN * 6)])
    assert len(find(bench, limit=5)) == 5


def test_filters_reach_the_index(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one"), "b.md": "# title\n\ntext\n"})
    bench.finish()
    assert {hit.language for hit in find(bench)} == {"python", "markdown"}
    assert {hit.language for hit in find(bench, where=SearchFilter(languages=("python",)))} == {"python"}


def test_fenced_code_is_found_by_its_own_language_and_by_that_of_its_page(bench: Bench) -> None:
    code = "".join(f"def step_{number}(a):\n    return a + {number}\n\n\n" for number in range(60))
    bench.ingest({"a.md": f"# Title\n\nwords\n\n```python\n{code}```\n"})
    bench.finish()
    python = find(bench, where=SearchFilter(languages=("python",)))
    assert {hit.language for hit in python} == {"python"}
    assert {hit.path for hit in python} == {"a.md"}
    assert len(find(bench, where=SearchFilter(languages=("markdown",)))) >= len(python)
    assert find(bench, where=SearchFilter(languages=("go",))) == []


def test_places_are_those_of_the_documents_path(bench: Bench) -> None:
    bench.ingest({"src/shop/a.py": functions("one"), "src/b.py": functions("two"), "c.py": functions("three")})
    bench.finish()
    for place, found in [("src", ["one", "two"]), ("src/shop", ["one"]), ("c.py", ["three"]), ("shop", [])]:
        assert names(find(bench, where=SearchFilter(places=(place,)))) == found


# --- by words


@pytest.mark.parametrize("mode", [SearchMode.SPARSE, SearchMode.HYBRID])
def test_what_was_ingested_is_found_by_its_words(bench: Bench, mode: SearchMode) -> None:
    bench.ingest({"a.py": functions("fill_basket", "send_order", "count_pieces")})
    bench.finish()
    best, *others = find(bench, "how is an order sent", mode=mode)
    assert best.name == "send_order"
    assert (others == []) is (mode is SearchMode.SPARSE)


def test_the_words_of_a_path_and_a_scope_are_found_too(bench: Bench) -> None:
    bench.ingest(
        {"warehouse/a.py": "class Shelf:\n" + functions("one").replace("def", "    def", 1), "b.py": "x = 1\n"}
    )
    bench.finish()
    assert {hit.path for hit in find(bench, "warehouse", mode=SearchMode.SPARSE)} == {"warehouse/a.py"}


def test_an_edit_is_found_by_its_new_words(bench: Bench) -> None:
    bench.ingest({"a.py": functions("old_name")})
    bench.finish()
    bench.ingest({"a.py": functions("new_name")})
    bench.finish()
    assert names(find(bench, "old", mode=SearchMode.SPARSE)) == []
    assert names(find(bench, "new", mode=SearchMode.SPARSE)) == ["new_name"]


# --- expanded


LONG = "def long(a):\n" + "".join(f"    step_{number} = a + {number}\n" for number in range(8)) + "    return a\n"
SHORT = "# a note\ndef short():\n    return 'short'\n"


def test_a_part_of_a_definition_is_shown_as_the_whole_once(bench: Bench) -> None:
    bench.ingest({"a.py": f"{LONG}\n\n{SHORT}"})
    bench.finish()
    parts = [hit for hit in find(bench) if hit.name == "long"]
    assert len(parts) > 2
    expanded = find(bench, expand=True)
    assert sorted(hit.name for hit in expanded if hit.name) == ["long", "short"]
    (whole,) = [hit for hit in expanded if hit.name == "long"]
    assert whole.text.rstrip() == LONG.rstrip()
    assert (whole.start_line, whole.end_line) == (1, 10)
    assert whole.score == max(hit.score for hit in parts)


def test_an_expanded_hit_keeps_what_its_chunk_holds_beside_the_definition(bench: Bench) -> None:
    bench.ingest({"a.py": SHORT})
    bench.finish()
    joined = "".join(hit.text for hit in sorted(find(bench), key=lambda hit: hit.start_line))
    assert joined == SHORT
    assert any(hit.text.startswith("# a note\n") for hit in find(bench, expand=True))


def test_a_definition_too_long_to_show_is_shown_by_its_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ingest({"a.py": LONG})
    bench.finish()
    monkeypatch.setattr(searching, "MAX_EXPANDED", 100)
    assert find(bench, expand=True) == find(bench)


def test_the_lines_of_an_expanded_hit_are_those_of_the_file(bench: Bench) -> None:
    before = "x = 1\r\ny = 2\r\n\r\n"
    bench.ingest({"a.py": before + LONG.replace("\n", "\r\n")})
    bench.finish()
    (whole,) = [hit for hit in find(bench, expand=True) if hit.name == "long"]
    lines = (before + LONG.replace("\n", "\r\n")).splitlines(keepends=True)
    assert whole.text == "".join(lines[whole.start_line - 1 : whole.end_line]).removesuffix("\r\n")


def test_collapsed_hits_leave_room_for_others(bench: Bench) -> None:
    bench.ingest({"a.py": LONG, "b.py": functions("one", "two", "three")})
    bench.finish()
    assert len(find(bench, limit=4, expand=True)) == 4
