"""Names lead to one tenant, project and source each, and never into somebody else's."""

from __future__ import annotations

import threading

import pytest
from harness.bench import Bench

from pipeline.errors import UnknownProject
from pipeline.intake import SourceRef


def test_the_same_names_are_the_same_source(bench: Bench) -> None:
    again = bench.sources.resolve("tenant", "project", "source", "/moved")
    assert (again.id, again.scope) == (bench.source.id, bench.source.scope)
    assert bench.sources.sources_of("tenant", "project") == [again]
    assert again.root == "/moved"


def test_a_project_of_the_same_name_in_another_tenant_is_another_one(bench: Bench) -> None:
    other = bench.sources.resolve("other", "project", "source", "/root")
    assert other.id != bench.source.id
    assert other.scope.tenant_id != bench.source.scope.tenant_id
    assert other.scope.project_id != bench.source.scope.project_id
    assert bench.sources.scope_of("other", "project") == other.scope
    assert bench.sources.sources_of("other", "project") == [other]


@pytest.mark.parametrize(("tenant", "project"), [("tenant", "nothing"), ("nobody", "project")])
def test_an_unknown_project_says_how_to_make_it(bench: Bench, tenant: str, project: str) -> None:
    with pytest.raises(UnknownProject, match=rf"`mobius ingest PATH --project {project}`"):
        bench.sources.scope_of(tenant, project)
    assert bench.sources.sources_of(tenant, project) == []


def test_several_producers_that_name_it_first_at_once_make_it_once(bench: Bench) -> None:
    together = threading.Barrier(4)
    made: list[SourceRef] = []

    def resolve() -> None:
        together.wait(10)
        made.append(bench.sources.resolve("new", "new", "new", "/root"))

    threads = [threading.Thread(target=resolve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
