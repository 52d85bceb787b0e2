"""What stages work with, once per process, and the Celery application that makes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery import Celery

from pipeline.chunk import ChunkBudget
from pipeline.errors import TransientError
from pipeline.ports import Embedder, Index, Ledger
from pipeline.reconcile_ports import ReconcileContext
from pipeline.types import Stage
from tasks.suspects import Suspects
from tasks.witness import NO_WITNESS, Witness


class Halted(TransientError):
    """The run is paused; the slice goes on from here when it is resumed."""


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """The times that govern leases and retries, in seconds, and the size of the dispatch window, in slices."""

    lease_seconds: float
    heartbeat_seconds: float
    retry_seconds: float
    dispatch_timeout_seconds: float
    dispatch_window: int
    #: How long a claim may be extended in all: the hard time limit of the stage's task.
    deadlines: dict[Stage, float]


@dataclass(frozen=True, slots=True)
class StageContext:
    """What the stages work with: ports and values, made once per process."""

    ledger: Ledger
    index: Index
    embedder: Embedder
    policy: StagePolicy
    budget: ChunkBudget
    #: The versions and the model that chunks are made with; go with them and are recorded on documents.
    versions: str
    #: Who works: ``host:pid``.
    worker: str
    #: What reconciliations work with, in the processes that run them. There is no embedder in it.
    reconcile: ReconcileContext | None = None
    #: What is remembered of calls to the provider that failed.
    suspects: Suspects = field(default_factory=Suspects)
    #: Whether the stage that runs with this context is to stop where nothing paid for is lost.
    is_halted: Callable[[], bool] = lambda: False

    def stop_if_halted(self) -> None:
        """Return while the stage may go on.

        Raises:
            Halted: Its run was paused or cancelled, or its lease taken over.
        """
        if self.is_halted():
            raise Halted


class IngestApp(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery with one stage context per process, made at first use and never shared across a fork."""

    def __init__(
        self,
        *args: Any,
        build_context: Callable[[], StageContext],
        witness: Witness = NO_WITNESS,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.witness = witness
        self._build_context = build_context
        self._contexts: dict[int, StageContext] = {}

    @property
    def stage_context(self) -> StageContext:
        """This process's context."""
        pid = os.getpid()
        if pid not in self._contexts:
            self._contexts = {pid: self._build_context()}
        return self._contexts[pid]

    @contextmanager
    def passing_context(self) -> Iterator[StageContext]:
        """Have a context for the block: a process that forks must not keep connections that its children inherit."""
        context = self._build_context()
        try:
            yield context
        finally:
            context.ledger.close()
