"""Run what has no asynchronous form in a bounded number of threads, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from worker.api.errors import Overloaded, TooSlow

P = ParamSpec("P")
T = TypeVar("T")

#: Calls that may wait for each thread; more are refused at once, for their clients would have given up.
WAITING_PER_THREAD = 8


class Threads:
    """``count`` threads for one kind of work. A call is waited for ``seconds`` at most; one that has begun goes on."""

    def __init__(self, name: str, count: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._seconds = seconds
        self._room = count * (1 + WAITING_PER_THREAD)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns.

        Raises:
            Overloaded: It was not begun, and never will be.
            TooSlow: It was begun and goes on, but nobody waits for it any more.
        """
        if self._room <= 0:
            raise Overloaded
        self._room -= 1
        loop = asyncio.get_running_loop()
        call = self._executor.submit(work, *args, **kwargs)
        call.add_done_callback(lambda _: self._give_back(loop))
        waiting = asyncio.wrap_future(call)
        # Its error may come when nobody asks for it any more; that is no reason for asyncio to complain.
        waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
        try:
            done, _ = await asyncio.wait({waiting}, timeout=self._seconds)
        except asyncio.CancelledError:
            call.cancel()
            raise
        if done:
            return waiting.result()
        if call.cancel():
            raise Overloaded
        raise TooSlow

    def _give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        def grow() -> None:
            self._room += 1

        if not loop.is_closed():
            loop.call_soon_threadsafe(grow)

    async def close(self, *, wait: bool) -> None:
        """Begin nothing more; ``wait`` for what was begun."""
        await asyncio.to_thread(self._executor.shutdown, wait, cancel_futures=True)
