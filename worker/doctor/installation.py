"""Decide whether what is installed is what this version was tested with, and whether its settings fit together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worker.doctor.connections import worker_processes
from worker.doctor.findings import Finding, ok, problem, skipped, warning
from worker.settings import Settings

PYTHON = (3, 11)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^;,\s]+)\s*$")


def pins_of(requirements: Iterable[str]) -> dict[str, str]:
    """Return the packages that are pinned to one version, optional ones left out."""
    matches = (_PIN.match(requirement) for requirement in requirements)
    return {match[1]: match[2] for match in matches if match}


@dataclass(frozen=True, slots=True)
class Installed:
    """The versions that we are pinned to, None where we are not installed, and those that are there."""

    pins: Mapping[str, str] | None
    versions: Mapping[str, str]


def judge_versions(seen: Installed) -> Finding:
    """Judge Python and the pinned packages."""
    name, pins = "versions", seen.pins
    if sys.version_info < PYTHON:
        return problem(name, f"Python {sys.version.split()[0]}", f"use Python {PYTHON[0]}.{PYTHON[1]} or newer.")
    if pins is None:
        return skipped(name, "mobius-ingest is not installed, so nobody says which versions it needs")
    wrong = [
        f"{package} is {seen.versions.get(package) or 'missing'} instead of {version}"
        for package, version in sorted(pins.items())
        if seen.versions.get(package) != version
    ]
    if wrong:
        return problem(
            name, "; ".join(wrong), "install from requirements.lock: these are pinned because other versions lose work."
        )
    return ok(name, f"Python {sys.version.split()[0]}; all {len(pins)} pinned packages are as they should be")


def judge_settings(settings: Settings) -> Finding:
    """Judge what is valid, but does not fit together."""
    name, processes = "settings", worker_processes(settings) - 1
    if settings.dispatch_window < processes:
        return warning(
            name,
            f"{settings.dispatch_window} slices in flight keep at most so many of {processes} worker processes busy",
            f"raise MOBIUS_DISPATCH_WINDOW to twice the number of processes, {2 * processes}.",
        )
    return ok(name, f"all {len(Settings.model_fields)} are valid; `mobius config` shows them")
