"""Decide whether somebody does the work: workers on every queue, a dispatcher that sends, beat."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from models.diagnosis import Backlog
from worker.doctor.findings import Finding, Silence, ok, problem, skipped, warning
from worker.local import ChildState, StackStatus

_BEAT = "beat"


@dataclass(frozen=True, slots=True)
class WorkersSeen:
    """The queues that each worker that answers consumes, and the processes that they have in all."""

    queues: Mapping[str, frozenset[str]]
    processes: int


def judge_workers(seen: WorkersSeen | Silence, needed: Collection[str]) -> Finding:
    """Judge whether every queue has a worker."""
    name = "workers"
    if isinstance(seen, Silence):
        return skipped(name, seen.found, seen.advice)
    start = "start them with `mobius up`, or `celery -A worker.app worker -Q {}`; their logs say why they do not run."
    if not seen.queues:
        return problem(name, "no worker answers over Redis", start.format(",".join(sorted(needed))))
    missing = sorted(set(needed).difference(*seen.queues.values()))
    found = f"{len(seen.queues)} workers with {seen.processes} processes answer"
    if missing:
        return problem(name, f"{found}; none of them consumes {', '.join(missing)}", start.format(",".join(missing)))
    return ok(name, f"{found} and consume all {len(needed)} queues")


def judge_dispatcher(backlog: Backlog | None, dispatchers: int, window: int, queued: int | None = None) -> Finding:
    """Judge whether slices are sent; the ledger shows it. ``backlog``: None where it could not be read.

    ``queued`` messages wait at the broker; None where it does not say. While no worker takes them they fill the window.
    Their slices are taken for lost after a while and are ready with nothing in flight: no fault of the dispatcher.
    """
    name = "dispatcher"
    start = "start it (`mobius up`, or `python -m worker.dispatcher`), or look into its log."
    if backlog is None:
        return skipped(name, "the ledger cannot be read, see postgres.schema")
    listening = f"{dispatchers} listening" if dispatchers else "none is listening"
    if backlog.unswept:
        return problem(name, f"{listening}; nobody brought back {backlog.unswept} slices whose time is over", start)
    sent = max(backlog.in_flight - backlog.running, queued or 0)
    if backlog.waiting and backlog.running + sent < window:
        return problem(
            name,
            f"{listening}; {backlog.waiting} slices have been ready for up to {backlog.longest_wait:.0f} s, and only"
            f" {backlog.in_flight} of {window} are in flight",
            f"{start} If it runs, see what is said about redis.",
        )
    found = f"{listening}; {backlog.in_flight} of {window} slices in flight, {backlog.waiting} waiting"
    if backlog.waiting and backlog.in_flight < window:
        found += f"; {queued} messages that no worker has taken fill the window, see workers"
    if not dispatchers:
        return warning(name, found, f"{start} Until then beat does its work, more slowly.")
    return ok(name, found)


def judge_stack(status: StackStatus | Silence) -> Finding:
    """Judge the local stack as a whole."""
    name = "stack"
    if isinstance(status, Silence):
        return problem(name, status.found, status.advice)
    if not status.is_running:
        return skipped(name, f"no local stack runs in {status.home}; your own services are looked at")
    if status.is_ready:
        return ok(name, f"all {len(status.children)} processes of the local stack are ready")
    bad = [f"{child.name} is {child.state.value}" for child in status.children if child.state not in _GOOD]
    return problem(
        name,
        f"the local stack in {status.home} is {status.phase.value}; {', '.join(bad) or 'nothing runs yet'}",
        f"wait if it is only starting; else the logs in {status.home / 'logs'} say why, and `mobius up` tries again.",
    )


def judge_beat(status: StackStatus | Silence) -> Finding:
    """Judge beat where it can be seen: it leaves no trace in any service."""
    name = _BEAT
    child = None if isinstance(status, Silence) else next((c for c in status.children if c.name == _BEAT), None)
    if child is None or isinstance(status, Silence) or not status.is_running:
        return skipped(
            name,
            "cannot be seen from here: it leaves no trace in any service",
            "see that exactly one process of `celery -A worker.app beat` runs; its log shows a tick every few seconds.",
        )
    if child.state is ChildState.READY:
        return ok(name, f"runs in the local stack, pid {child.pid}")
    return problem(name, f"is {child.state.value} in the local stack", f"look into {child.log}, then `mobius up`.")


_GOOD = (ChildState.READY, ChildState.EXTERNAL)
