"""Show what was measured: one table of the cases, one of CPU time, and JSON with everything."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.results import CaseResult

_STAGES = ("read", "parse", "chunk", "embed", "copy", "upsert")
_CASE_COLUMNS = (
    *("side", "case", "seconds", "ratio", "files/s", "MB/s", "chunks/s", "CPU s", "peak MB"),
    *("messages", "SQL", "SQL/doc", "calls"),
)


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processors, their load, Python and system."""
    return {
        "cpus": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def as_json(results: Sequence[CaseResult], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as plain values."""
    cases = [
        {**asdict(result), "statements_per_document": result.statements_per_document, "cpu_seconds": result.cpu}
        for result in results
    ]
    return {**about, "cases": cases}


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write the JSON file, and its directory where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def tables(results: Sequence[CaseResult]) -> str:
    """Return the tables in Markdown."""
    cases = table(_CASE_COLUMNS, [_case_row(result) for result in results])
    names = sorted({name for result in results for name in result.processes})
    stages = [name for name in _STAGES if any(name in result.stages for result in results)]
    columns = ("side", "case", *(f"{name}*" for name in stages), *names)
    rows = [
        (
            *(result.side, result.case),
            *(_number(result.stages.get(name)) for name in stages),
            *(_number(result.processes.get(name)) for name in names),
        )
        for result in results
    ]
    return f"{cases}\n\nCPU seconds (*: by stage, inside of the limit's or the workers' time)\n\n{table(columns, rows)}"


def _case_row(result: CaseResult) -> tuple[str, ...]:
    rates = (result.files, result.bytes / 1e6, result.chunks)
    ours = {
        name: size for name, size in result.peak_mb.items() if name not in {"postgres", "redis", "qdrant", "provider"}
    }
    return (
        *(result.side, result.case, f"{result.seconds:.2f}"),
        f"{result.ratio:.2f}" if result.ratio is not None else "",
        *(f"{rate / result.seconds:,.1f}" for rate in rates),
        *(f"{result.cpu:.1f}", f"{max(ours.values()):.0f}", str(result.messages)),
        *(_integer(result.statements), _number(result.statements_per_document), str(result.calls)),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _integer(value: int | None) -> str:
    return "?" if value is None else str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return one table in Markdown."""
    lines = [tuple(columns), *map(tuple, rows)]
    widths = [max(len(line[position]) for line in lines) for position in range(len(columns))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((padded[0], rule, *padded[1:]))
