"""Measure what search finds: docstrings, cut out of the code, as queries for their functions.

    python -m benchmarks.search [--dir DIR] [--ablate] [--json FILE]

Without services and without a model. The sets: two samples of the standard library that share no file, and installed
packages. The ranking's constants were chosen on samples of the first five; nothing was chosen on those after them.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from benchmarks import report
from benchmarks.corpus import standard_library
from benchmarks.pipeline import CHECKOUT
from benchmarks.search_ablation import ablations
from benchmarks.search_figures import NAMES, Figures, difference, figures, named
from benchmarks.search_ranking import dense_rankings, fused, pieces_of, sparse_rankings
from benchmarks.search_set import SearchSet, python_files, search_sets
from benchmarks.session import say
from pipeline.chunk import ChunkBudget

_RESULTS = CHECKOUT / "benchmarks" / "results" / "search.json"

#: Bytes of a chunk: the default, and half of it.
BUDGETS = {"2,000": ChunkBudget(), "1,000": ChunkBudget(1_000, 1_000)}
MODES = ("dense", "sparse", "hybrid")
_PACKAGES = {"Celery, Kombu": ("celery", "kombu"), "SQLAlchemy": ("sqlalchemy",), "pip": ("pip",)}
_HELD_OUT = {"NumPy": ("numpy",), "pydantic": ("pydantic",), "Tornado": ("tornado",)}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, help="a directory with Python files to measure with, instead")
    parser.add_argument(
        "--ablate", action="store_true", help="instead, leave out one part of the ranking after another"
    )
    parser.add_argument("--json", type=Path, default=_RESULTS, help="file for the results (default: %(default)s)")
    given = parser.parse_args(argv)
    sets = [one for one in _sets(given.dir) if one.queries]
    if not sets:
        raise SystemExit(f"benchmarks: no function with a docstring in {given.dir}; name a directory of Python files.")
    rows = list(ablations(sets) if given.ablate else chain.from_iterable(map(_measured, sets)))
    report.write_json({**report.machine(), "rows": rows}, given.json)
    say(f"wrote {given.json}")


def _sets(directory: Path | None) -> Iterator[SearchSet]:
    if directory is not None:
        yield from search_sets(directory.resolve().name, python_files(directory.resolve()))
        return
    yield from search_sets("standard library", python_files(standard_library()), count=2)
    for name, packages in (_PACKAGES | _HELD_OUT).items():
        yield from search_sets(name, chain.from_iterable(python_files(_place(package)) for package in packages))


def _place(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"benchmarks: {package} is not installed; run make setup.")
    return Path(spec.origin).parent


def _measured(given: SearchSet) -> list[dict[str, object]]:
    """Measure and print one set: every budget and mode, with and without header."""
    say(f"{given.name}: {len(given.files)} files, {len(given.queries)} queries")
    rows: list[dict[str, object]] = []
    for budget, bounds in BUDGETS.items():
        found: dict[tuple[str, bool], Figures] = {}
        for with_header in (True, False):
            pieces = pieces_of(given, bounds, with_header=with_header)
            queries = [query.text for query in given.queries]
            rankings = {"dense": dense_rankings(pieces, queries), "sparse": sparse_rankings(pieces, queries)}
            rankings["hybrid"] = [fused(pair, len(pieces)) for pair in zip(*rankings.values(), strict=True)]
            for mode in MODES:
                found[mode, with_header] = figures(given, pieces, rankings[mode])
                rows.append(_row(given, budget, len(pieces), mode, with_header, found[mode, with_header]))
        _print_differences(given, budget, found)
    _print_rows(rows)
    return rows


def _row(given: SearchSet, budget: str, pieces: int, mode: str, with_header: bool, found: Figures) -> dict[str, object]:
    return {
        "set": given.name,
        "files": len(given.files),
        "queries": len(given.queries),
        "budget": budget,
        "chunks": pieces,
        "mode": mode,
        "header": with_header,
        **named(found.mean(axis=0)),
    }


def _print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    columns = ("set", "budget", "chunks", "mode", "header", *NAMES)
    cells = [
        [
            f"{row[name]:.3f}" if name in NAMES else str(row[name]).replace("True", "yes").replace("False", "no")
            for name in columns
        ]
        for row in rows
    ]
    print(f"{report.table(columns, cells)}\n", flush=True)


def _print_differences(given: SearchSet, budget: str, found: Mapping[tuple[str, bool], Figures]) -> None:
    pairs = {f"{mode}: header": (found[mode, True], found[mode, False]) for mode in MODES}
    pairs["hybrid over sparse"] = (found["hybrid", True], found["sparse", True])
    pairs["sparse over dense"] = (found["sparse", True], found["dense", True])
    for name, (ours, others) in pairs.items():
        parts = []
        for column in ("R@5", "cov@4k"):
            mean, low, high = difference(ours, others, column)
            parts.append(f"{column} {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        print(f"{given.name}, {budget}: {name}: {', '.join(parts)}")


if __name__ == "__main__":
    main()
