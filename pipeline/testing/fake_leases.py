"""The part of a ledger that says who may work on a slice, in memory; it remembers what was handed back."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from pipeline.crashes import Crash
from pipeline.errors import IngestError
from pipeline.types import Claim, Scope, Stage, Token


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Why a slice came back, when and at which stage it is tried again, whether it was an attempt, where it failed."""

    error: str
    message: str
    delay_seconds: float
    forgive: bool
    trace: str = field(default="", compare=False)
    stage: Stage | None = None


class FakeLeases:
    """Claims as in ``pipeline.ports.Ledger``: an offered token is good once, a claim until it is taken over.

    ``fault`` is raised by every call while it is set. ``extended`` counts the extensions that were granted.
    ``is_paused`` and ``is_cancelled`` say whether the run of every claim is; ``kept`` counts how often the reservations
    of a cancelled one were kept.
    """

    def __init__(self) -> None:
        self.fault: IngestError | None = None
        self.handed_back: list[HandedBack] = []
        self.extended = 0
        self.closed = 0
        self.is_paused = False
        self.is_cancelled = False
        self.kept = 0
        self.crashes: list[tuple[Token, str, Crash]] = []
        self.scope = Scope(uuid4(), uuid4())
        self._offered: dict[Token, tuple[int, int]] = {}
        self._owners: dict[UUID, UUID] = {}

    def offer(self, token: Token, attempts: int = 0, version: int = 1) -> None:
        """Make a token good for one claim; ``attempts`` were made before. ``version`` is the slice's."""
        self._offered[token] = attempts, version

    def take_over(self, claim: Claim) -> None:
        """Let the holder lose its claim."""
        self._owners.pop(claim.token.slice_id, None)

    def claim(self, token: Token, worker: str, lease_seconds: float) -> Claim | None:  # noqa: ARG002  the port's
        """See the port."""
        self._answer()
        if token not in self._offered:
            return None
        attempts, version = self._offered.pop(token)
        owner = self._owners[token.slice_id] = uuid4()
        return Claim(token, owner, uuid4(), uuid4(), self.scope, attempts + 1, version)

    def extend(self, claim: Claim, lease_seconds: float) -> bool:  # noqa: ARG002  the port's
        """See the port."""
        self._answer()
        held = self._holds(claim)
        self.extended += held
        return held

    def keep_reserved(self, claim: Claim, lease_seconds: float) -> bool:  # noqa: ARG002  the port's
        """See the port."""
        self._answer()
        self.kept += self.is_cancelled
        return self.is_cancelled

    def is_halted(self, claim: Claim) -> bool:  # noqa: ARG002  the port's
        """See the port."""
        self._answer()
        return self.is_paused

    def report_crash(self, token: Token, worker: str, crash: Crash, retry_seconds: float) -> bool:  # noqa: ARG002
        """See the port."""
        self._answer()
        self.crashes.append((token, worker, crash))
        return True

    def close(self) -> None:
        """See the port."""
        self.closed += 1

    def hand_back(
        self,
        claim: Claim,
        error: str,
        message: str,
        delay_seconds: float,
        *,
        forgive: bool,
        trace: str = "",
        stage: Stage | None = None,
    ) -> bool:
        """See the port."""
        self._answer()
        held = self._holds(claim)
        if held:
            self.take_over(claim)
            self.handed_back.append(HandedBack(error, message, delay_seconds, forgive, trace, stage))
        return held

    def _answer(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _holds(self, claim: Claim) -> bool:
        return self._owners.get(claim.token.slice_id) == claim.owner
