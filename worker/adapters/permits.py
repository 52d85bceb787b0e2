"""Ask for a permit before every try of a provider call, and wait for it as long as the caller has patience in all."""

from __future__ import annotations

import asyncio
import random
import time

from pipeline.budget import return_after
from pipeline.errors import RateLimited
from pipeline.ports import Limiter


class Permits:
    """The permits for one batch of calls, which run on one event loop.

    No wait ends later than ``patience`` seconds after this was made. Once a call is denied, those behind it are
    denied too without asking: the budget gives turns in the order of asking.
    """

    def __init__(self, limiter: Limiter, patience: float) -> None:
        self._limiter = limiter
        self._patience = patience
        self._deadline = time.monotonic() + patience
        self._denial: RateLimited | None = None
        self._asking = asyncio.Lock()

    async def take(self, tokens: int) -> None:
        """Return when one call of so many tokens may be sent.

        Raises:
            RateLimited: Not in time; it says when to ask again.
            ServiceUnavailable, BadCredentials: The budget cannot be asked.
        """
        # One asks at a time, so that the calls of a batch get their turns in their order.
        async with self._asking:
            wait = await self._turn(tokens)
        if wait > 0:
            await asyncio.sleep(wait)
            await self._check_pause()

    async def _turn(self, tokens: int) -> float:
        if self._denial is not None:
            raise RateLimited(self._denial.retry_after, str(self._denial))
        left = max(0.0, self._deadline - time.monotonic())
        try:
            # In a thread: the answers of other calls must not wait for the store of the budget.
            return await asyncio.to_thread(self._limiter.acquire, tokens, left)
        except RateLimited as exc:
            # Spread, or all who were denied now would be denied again together.
            again = return_after(exc.retry_after, self._patience, random.random())  # noqa: S311  no secret
            self._denial = RateLimited(again, str(exc))
            raise self._denial from exc

    async def _check_pause(self) -> None:
        quiet = await asyncio.to_thread(self._limiter.paused)
        if quiet > 0:
            again = return_after(quiet, self._patience, random.random())  # noqa: S311  the same
            raise RateLimited(again, "The provider asked for fewer requests while a call waited for its turn.")
