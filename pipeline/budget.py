"""Decide when the next provider call may go, so that no 60 seconds hold more than the provider's budget.

Calls are spaced, not batched: each one moves the moment at which the next may go by what it costs itself. Nothing is
saved up while nobody calls, so the burst is one call. The promise, for calls of at most ``largest_call`` tokens: any
60 seconds hold at most ``requests_per_minute`` calls and ``tokens_per_minute`` tokens. A larger call (a single text
that cannot be cut) goes when its turn comes, exceeds the promise by what it is too large, and is paid off before the
next one goes.

A turn may be reserved a little ahead, and turns are given in the order of asking whatever the size, so that small
calls cannot keep a large one waiting for ever. Whoever is denied is told when to come back: one after the other, as
far apart as their calls, so that a thousand who wait do not all ask again for every turn there is.

Where nothing is known (a first call, a store that was emptied), all turns that stages may have reserved are taken to
be given away, to a largest call at last: losing the state never grants anything.

All times are whole microseconds of one clock. ``worker/adapters/limiter.py`` does the same arithmetic in Redis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pipeline.errors import RateLimited

MICROSECONDS = 1_000_000

#: Seconds over which one minute's budget is spread. The provider counts arrivals, not departures: a call that is
#: slower on its way than the next one brings them closer together.
SPREAD_SECONDS = 61

#: The largest call, as a share of a minute's tokens (1/20). It is also what is lost of the budget by the promise.
CALLS_PER_BUDGET = 20

#: How long a stage's batch of calls waits for its turns, and so how far ahead it reserves them (s).
STAGE_PATIENCE = 2.0

#: How long a query waits (s). Somebody sits before it, and whoever waits longer is served first.
QUERY_PATIENCE = 5.0

#: A moment further ahead than this comes from a clock that was set back; it is taken as not known (µs).
HORIZON = 2 * 3600 * MICROSECONDS


#: Who is denied comes back after so long at most, unless the turn itself is further away (µs).
LONGEST_LINE = 300 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Cost:
    """By how many microseconds a call moves the next one, for either limit. 0: there is no such limit."""

    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ProviderBudget:
    """What the provider allows in a minute; 0 is no limit.

    Raises:
        ValueError: A limit is negative.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0

    def __post_init__(self) -> None:
        if min(self.requests_per_minute, self.tokens_per_minute) < 0:
            raise ValueError("a limit is 0 (none) or positive")

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to keep to."""
        return bool(self.requests_per_minute or self.tokens_per_minute)

    @property
    def largest_call(self) -> int | None:
        """Tokens that one call should have at most; None where tokens are not limited."""
        if not self.tokens_per_minute:
            return None
        return max(1, self.tokens_per_minute // CALLS_PER_BUDGET)

    def cost(self, tokens: int) -> Cost:
        """Return what one call of so many tokens costs."""
        return Cost(self._request_cost(), self.token_cost(tokens))

    def token_cost(self, tokens: int) -> int:
        """Return the microseconds that ``tokens`` stand for; tokens to give back are negative."""
        if not self.tokens_per_minute:
            return 0
        # Any 60 s hold what is spread over them and one call more, so that one call is left out of the spreading.
        spread = self.tokens_per_minute - (self.largest_call or 0) + 1
        return _microseconds(tokens, spread)

    def unknown_past(self) -> Cost:
        """Return what is taken to have been given away where nothing is known."""
        last = self.cost(self.largest_call or 0)
        ahead = whole(STAGE_PATIENCE)
        return Cost(last.requests and last.requests + ahead, last.tokens and last.tokens + ahead)

    def _request_cost(self) -> int:
        return _microseconds(1, self.requests_per_minute) if self.requests_per_minute else 0


@dataclass(frozen=True, slots=True)
class Turns:
    """From when on the next call may go, by either limit; moments in microseconds.

    ``quiet``: until when the provider wants to be left alone. ``line``: when the next one who is denied comes back.
    """

    requests: int = 0
    tokens: int = 0
    quiet: int = 0
    line: int = 0


def known(stored: Turns | None, now: int, unknown_past: Cost) -> Turns:
    """Return what is stored, with whatever cannot be true replaced by the unknown past."""
    first = Turns(now + unknown_past.requests, now + unknown_past.tokens)
    if stored is None:
        return first
    return Turns(
        stored.requests if stored.requests <= now + HORIZON else first.requests,
        stored.tokens if stored.tokens <= now + HORIZON else first.tokens,
        stored.quiet if stored.quiet <= now + HORIZON else 0,
        stored.line,
    )


def reserve(turns: Turns, now: int, cost: Cost, patience: int) -> tuple[Turns, int]:
    """Return the turns after a call asked for its own, and how long it has to wait for it (µs).

    A wait above ``patience`` means that nothing is reserved; it then is the time after which to ask again.
    """
    turn = max(now, turns.requests, turns.tokens, turns.quiet)
    if turn - now <= patience:
        return replace(turns, requests=turn + cost.requests, tokens=turn + cost.tokens), turn - now
    place = max(turn, min(turns.line, now + LONGEST_LINE))
    return replace(turns, line=place + max(cost.requests, cost.tokens)), place - now


def correct(turns: Turns, now: int, difference: int) -> Turns:
    """Return the turns after a call turned out to cost ``difference`` more tokens' time (µs) than was reserved."""
    return replace(turns, tokens=max(turns.tokens, now) + difference)


def keep_quiet(turns: Turns, now: int, duration: int) -> Turns:
    """Return the turns when nobody may call for ``duration`` (µs); a longer quiet that holds already stays."""
    return replace(turns, quiet=max(turns.quiet, now + duration))


def whole(seconds: float) -> int:
    """Return seconds as whole microseconds, rounded up."""
    return math.ceil(seconds * MICROSECONDS)


def seconds_of(microseconds: int) -> float:
    """Return microseconds as seconds."""
    return microseconds / MICROSECONDS


def denied(wait: int) -> RateLimited:
    """Return the error for a call that is not sent, because its turn is further away than its caller's patience."""
    return RateLimited(
        seconds_of(wait),
        "The provider's budget is spent for the moment; wait, or raise MOBIUS_OPENAI_RPM or MOBIUS_OPENAI_TPM if the "
        "provider grants more.",
    )


def return_after(wait: float, patience: float, chance: float) -> float:
    """Return after how many seconds a denied caller, who will again be so patient, should ask again.

    It is early enough to wait out the rest, so that the budget never lies idle, and spread over the length of that
    patience by ``chance`` (0 to 1), so that those who were denied together do not return together.
    """
    return max(0.0, wait - patience) + patience * chance


class NoLimit:
    """The limiter where there is no budget: every call may go at once. See ``pipeline.ports.Limiter``."""

    def acquire(self, tokens: int, patience: float) -> float:  # noqa: ARG002  the port's
        """See the port."""
        return 0.0

    def settle(self, estimated: int, actual: int) -> None:
        """See the port."""

    def pause(self, seconds: float) -> None:
        """See the port."""

    def paused(self) -> float:
        """See the port."""
        return 0.0

    def close(self) -> None:
        """See the port."""


def _microseconds(amount: int, per_minute: int) -> int:
    return math.ceil(amount * SPREAD_SECONDS * MICROSECONDS / per_minute)
