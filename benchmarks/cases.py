"""Run one side's cases on a database and a collection of its own, and read back what they left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from uuid import UUID

from benchmarks import measure
from benchmarks.bench import Bench
from benchmarks.corpus import wait_until_trusted
from benchmarks.outcome import read_outcome
from benchmarks.pipeline import Fleet, running_fleet
from benchmarks.results import COLD, EDITED, LIMIT, UNCHANGED, CaseResult

_numbers = itertools.count(1)


def limit_case(bench: Bench) -> CaseResult:
    """Run the limit once, cold."""
    with bench.environment() as environment:
        servers = bench.servers()
        measure.reset_peaks(servers)
        before = measure.cpu_seconds(servers)
        with bench.services.counted(environment["DATABASE_URL"]) as counted:
            found = bench.run("limit", str(bench.corpus.root), environment=environment)
        outcome = read_outcome(environment, UUID(found["project"]), found["failed"], schema="bench,public")
        return CaseResult(
            side=LIMIT,
            case=COLD,
            seconds=found["seconds"],
            files=found["files"] + found["failed"],
            bytes=bench.corpus.size,
            documents=found["files"],
            chunks=found["chunks"],
            calls=found["calls"],
            messages=counted["messages"],
            statements=counted["statements"].work,
            transaction_statements=counted["statements"].control,
            stages=_rounded(found["stages"]),
            processes={
                "limit": round(found["cpu"], 3),
                **measure.difference(measure.cpu_seconds(servers), before),
            },
            peak_mb=_rounded({"limit": found["peak_mb"], **measure.peak_megabytes(servers)}),
            outcome=outcome,
            kinds=counted["statements"].kinds,
        )


def pipeline_cases(bench: Bench, side: str, cpu: int, io: int) -> Iterator[CaseResult]:
    """Run cold, unchanged and edited, one after the other, on the same processes."""
    with bench.environment() as environment:
        place = bench.place / f"fleet-{next(_numbers)}"
        with running_fleet(environment, place, cpu, io) as fleet:
            wait_until_trusted(bench.corpus)
            yield pipeline_case(bench, fleet, side, COLD)
            yield pipeline_case(bench, fleet, side, UNCHANGED)
            before = bench.corpus.edit()
            try:
                yield pipeline_case(bench, fleet, side, EDITED)
            finally:
                bench.corpus.restore(before)


def pipeline_case(bench: Bench, fleet: Fleet, side: str, case: str) -> CaseResult:
    """Run ``mobius ingest`` once and say what it took."""
    trees = {**bench.servers(), **fleet.pids}
    stages = fleet.stage_cpu()
    measure.reset_peaks(trees)
    before = measure.cpu_seconds(trees)
    with bench.services.counted(fleet.environment["DATABASE_URL"]) as counted:
        ingested = fleet.ingest(bench.corpus.root)
    after = measure.cpu_seconds(trees)
    report = ingested.report
    counts = report["documents"]
    return CaseResult(
        side=side,
        case=case,
        seconds=ingested.seconds,
        files=counts["seen"],
        bytes=bench.corpus.size,
        documents=counts["new"] + counts["changed"],
        chunks=report["chunks"]["total"],
        calls=report["embedding"]["calls"],
        messages=counted["messages"],
        statements=counted["statements"].work,
        transaction_statements=counted["statements"].control,
        stages=measure.difference(fleet.stage_cpu(), stages),
        processes={"producer": round(ingested.cpu, 3), **measure.difference(after, before)},
        peak_mb=_rounded({"producer": ingested.peak_mb, **measure.peak_megabytes(trees)}),
        outcome=read_outcome(fleet.environment, None, counts["failed"]),
        kinds=counted["statements"].kinds,
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
