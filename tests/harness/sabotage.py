"""The product's Celery application with traps on its ports: ``celery -A harness.sabotage worker``.

A process that passes the place that the trap file names springs the trap, once, and is killed or stopped there by a
signal that no code of ours can catch. Places are ``port.method before|after``, and for the claim, whose method is the
same in every stage, ``ledger.claim:stage after``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from celery.signals import task_postrun
from harness.trap import PUBLISHED, VARIABLE, Trap

import worker.adapters.openai
import worker.adapters.qdrant  # noqa: F401  imported once, before the pool forks, and not again after every kill
from pipeline.types import Token
from tasks.base import StageContext
from worker.app import app


class _Trapped:
    """A port whose every method is a place."""

    def __init__(self, port: Any, name: str, trap: Trap) -> None:
        self._port = port
        self._name = name
        self._trap = trap

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        return self._guarded(found, method) if callable(found) else found

    def _guarded(self, call: Callable[..., Any], method: str) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            stage = f":{args[0].stage}" if args and isinstance(args[0], Token) else ""
            place = f"{self._name}.{method}{stage}"
            self._trap.spring(f"{place} before")
            result = call(*args, **kwargs)
            # A token that was stale has claimed nothing.
            if not stage or result is not None:
                self._trap.spring(f"{place} after")
            return result

        return guarded


def _with_traps(build: Callable[[], StageContext], trap: Trap) -> Callable[[], StageContext]:
    def built() -> StageContext:
        context = build()
        ledger: Any = _Trapped(context.ledger, "ledger", trap)
        index: Any = _Trapped(context.index, "index", trap)
        return replace(context, ledger=ledger, index=index)

    return built


if VARIABLE in os.environ:
    _trap = Trap(Path(os.environ[VARIABLE]))
    app._build_context = _with_traps(app._build_context, _trap)

    @task_postrun.connect
    def _published(**_kwargs: Any) -> None:
        _trap.spring(PUBLISHED)
