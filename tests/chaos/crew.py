"""Whom the stack under fire consists of, and what they are told: two of everything that may be there twice.

The second workers' clocks are wrong by ten minutes, one ahead and one behind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaos.provider import DIMS, PATIENCE
from harness.members import ROOT, without_coverage
from harness.tuning import CLOCK

from worker.local import ChildSpec, FleetOptions, fleet
from worker.local.state import Home

PROJECT = "chaos"
SERVICES = ("postgres", "redis", "qdrant")
CPU_WORKERS = ("worker-cpu", "worker-cpu-2")
IO_WORKERS = ("worker-io", "worker-io-2")
WORKERS = (*CPU_WORKERS, *IO_WORKERS, "worker-control")
#: Seconds by which the second one's clock is ahead.
_CLOCKS = {"worker-cpu": "-600", "worker-io": "+600"}
#: Those that there are two of; the second one's argument with this in it gets a name of its own.
_TWINS = {"worker-cpu": "cpu@", "worker-io": "io@", "dispatcher": "", "beat": "celerybeat-schedule"}


def crew(home: Home, flower_port: int, api_port: int, wire_url: str) -> Sequence[ChildSpec]:
    """Return our own processes, migration included; they reach the index through the wire."""
    specs = fleet.specs(home, FleetOptions(1, 1), flower_port, api_port, SERVICES)
    twins = [_twin(spec, _TWINS[spec.name]) for spec in specs if spec.name in _TWINS]
    wired = [replace(spec, env={**spec.env, "QDRANT_URL": wire_url}) for spec in (*specs, *twins)]
    return [fleet.migration(["postgres"]), *wired]


def environment(provider_url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what all processes are told; nothing of the machine's own configuration is left in it."""
    theirs = ("MOBIUS_", "OPENAI_", "DATABASE_URL", "REDIS_URL", "QDRANT_")
    kept = {name: value for name, value in without_coverage(os.environ).items() if not name.startswith(theirs)}
    return kept | {
        "MOBIUS_PROJECT": PROJECT,
        "MOBIUS_EMBEDDER": "openai",
        "MOBIUS_OPENAI_MODEL": "stub",
        "MOBIUS_OPENAI_DIMS": str(DIMS),
        "MOBIUS_OPENAI_TIMEOUT": str(PATIENCE),
        "MOBIUS_OPENAI_MAX_INPUTS": "16",
        # No reconciliation: what is wrong at the end was not mended by anybody.
        "MOBIUS_RECONCILE_SECONDS": "1000000",
        "OPENAI_API_KEY": "a-test-key",
        "OPENAI_BASE_URL": provider_url,
        **settings,
    }


def _twin(spec: ChildSpec, mark: str) -> ChildSpec:
    twin = replace(spec, name=f"{spec.name}-2", argv=tuple(_second(word, mark) for word in spec.argv))
    return _with_clock(twin, _CLOCKS[spec.name]) if spec.name in _CLOCKS else twin


def _with_clock(spec: ChildSpec, shift: str) -> ChildSpec:
    argv = tuple("harness.tuned" if word == "worker.app" else word for word in spec.argv)
    return replace(spec, argv=argv, env={**spec.env, CLOCK: shift, "PYTHONPATH": str(ROOT / "tests")})


def _second(word: str, mark: str) -> str:
    if mark and word.startswith(mark):  # a node's name
        return f"{mark[:-1]}-2@{word.removeprefix(mark)}"
    return f"{word}-2" if mark and word.endswith(mark) else word
