"""The words of a diagnosis: what was checked, how it stands, what was found and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import IngestError


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"  #: works, but not as it should or not for long
    PROBLEM = "problem"  #: work is lost, stuck or unsafe until somebody acts
    SKIPPED = "skipped"  #: could not be looked at; ``found`` says why


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check. ``advice``: what to do; empty where there is nothing to do."""

    name: str
    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """What a probe returns that saw nothing, why, and what to do about that."""

    found: str
    advice: str

    @classmethod
    def of(cls, error: IngestError) -> Silence:
        """Return what one of our errors says; see ``parts_of``."""
        return cls(*parts_of(error))


def parts_of(error: IngestError) -> tuple[str, str]:
    """Return what is wrong and what to do: our errors say both in one sentence, parted by a semicolon or a colon."""
    message = str(error)
    found, _, advice = message.partition("; " if "; " in message else ": ")
    return found, advice


def ok(name: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(name, Status.OK, found)


def warning(name: str, found: str, advice: str) -> Finding:
    """Return what should be better."""
    return Finding(name, Status.WARNING, found, advice)


def problem(name: str, found: str, advice: str) -> Finding:
    """Return what must be mended."""
    return Finding(name, Status.PROBLEM, found, advice)


def skipped(name: str, why: str, advice: str = "") -> Finding:
    """Return that a check was not made."""
    return Finding(name, Status.SKIPPED, why, advice)


def silent(silence: Silence, name: str, *dependents: str) -> list[Finding]:
    """Return the problem that a service cannot be looked at, and what could not be checked for that reason."""
    return [problem(name, silence.found, silence.advice), *(skipped(each, f"see {name}") for each in dependents)]


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing has to be mended."""
    return all(finding.status is not Status.PROBLEM for finding in findings)


def one_line(text: str, limit: int = 300) -> str:
    """Return a text of others, such as a library's error, on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}..."
