"""Decide whether a Qdrant can be the index: new enough for conditional updates, with room for the model's vectors."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import DimensionMismatch
from worker.doctor.findings import Finding, Silence, ok, parts_of, problem, silent, warning

#: The first version whose updates take a condition; without one, a late writer overwrites newer points.
MINIMUM = (1, 16)


@dataclass(frozen=True, slots=True)
class QdrantSeen:
    """What Qdrant says. ``points``: None where there is no collection yet; ``misfit``: that it does not fit.

    ``has_sparse`` is false where the collection is one of a version that knew no search by words.
    """

    address: str
    version: str
    model: str
    points: int | None = None
    health: str = ""
    misfit: DimensionMismatch | None = None
    has_sparse: bool = True


def judge(seen: QdrantSeen | Silence) -> list[Finding]:
    """Judge a Qdrant."""
    if isinstance(seen, Silence):
        return silent(seen, "qdrant", "qdrant.collection")
    return [judge_version(seen), judge_collection(seen)]


def judge_version(seen: QdrantSeen) -> Finding:
    """Judge the server's version."""
    found = f"Qdrant {seen.version} at {seen.address}"
    numbers = tuple(int(part) for part in seen.version.split("-")[0].split(".") if part.isdigit())
    if numbers < MINIMUM:
        return problem(
            "qdrant",
            found,
            f"use Qdrant {'.'.join(map(str, MINIMUM))} or newer: older ones ignore the condition that keeps a late"
            " write from replacing a newer one.",
        )
    return ok("qdrant", found)


def judge_collection(seen: QdrantSeen) -> Finding:
    """Judge the collection of the model."""
    name = "qdrant.collection"
    if seen.misfit:
        return problem(name, *parts_of(seen.misfit))
    if seen.points is None:
        return ok(name, f"none yet for {seen.model}; the first worker makes it")
    found = f"{seen.points:,} points for {seen.model}, status {seen.health or 'unknown'}"
    if not seen.has_sparse:
        return warning(
            name,
            f"{found}, none with a sparse vector",
            "run `mobius reconcile --repair`: until then a search by words finds nothing.",
        )
    if seen.health == "red":
        return problem(name, found, "look into Qdrant's log: a shard of the collection has failed.")
    if seen.health == "grey":
        return warning(name, found, "its optimisation waits since a restart; any write to the collection starts it.")
    return ok(name, found)
