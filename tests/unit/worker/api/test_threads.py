"""Blocking work never holds the event loop up, never grows without bound, and never vanishes unseen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from worker.api.errors import Overloaded, TooSlow
from worker.api.threads import WAITING_PER_THREAD, Threads


def run(scene: Callable[[Threads, threading.Event], Awaitable[None]], seconds: float = 30.0) -> None:
    """Play a scene with one thread; the gate that work waits at is open when it ends."""

    async def play() -> None:
        gate = threading.Event()
        threads = Threads("test", 1, seconds)
        try:
            await scene(threads, gate)
        finally:
            gate.set()
            await threads.close(wait=True)

    asyncio.run(play())


def test_a_result_and_an_error_come_back() -> None:
    async def scene(threads: Threads, _gate: threading.Event) -> None:
        assert await threads.run(max, 1, 2) == 2
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)

    run(scene)


def test_the_loop_goes_on_while_a_thread_works() -> None:
    async def scene(threads: Threads, gate: threading.Event) -> None:
        working = asyncio.create_task(threads.run(gate.wait))
        await asyncio.sleep(0)
        assert not working.done()
        gate.set()
        assert await working

    run(scene)


def test_work_beyond_the_bound_is_refused_at_once_and_room_comes_back() -> None:
    async def scene(threads: Threads, gate: threading.Event) -> None:
        waiting = [asyncio.create_task(threads.run(gate.wait)) for _ in range(1 + WAITING_PER_THREAD)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await threads.run(gate.wait)
        gate.set()
        assert all(await asyncio.gather(*waiting))
        await asyncio.sleep(0)
        assert await threads.run(gate.wait)

    run(scene)


def test_work_that_began_in_time_but_does_not_end_goes_on_unwatched() -> None:
    async def scene(threads: Threads, gate: threading.Event) -> None:
        began, ended = threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            gate.wait()
            ended.set()
            raise ValueError("nobody hears this")

        with pytest.raises(TooSlow):
            await threads.run(work)
        assert began.is_set()
        gate.set()
        await asyncio.to_thread(ended.wait, 10)
        assert ended.is_set()

    run(scene, seconds=0.05)


def test_work_that_did_not_begin_in_time_never_does() -> None:
    async def scene(threads: Threads, gate: threading.Event) -> None:
        first = asyncio.create_task(threads.run(gate.wait))
        await asyncio.sleep(0)
        done: list[int] = []
        with pytest.raises(Overloaded):
            await threads.run(done.append, 1)
        gate.set()
        with pytest.raises(TooSlow):
            await first
        assert not done

    run(scene, seconds=0.05)


def test_a_caller_that_is_cancelled_takes_back_what_was_not_begun() -> None:
    async def scene(threads: Threads, gate: threading.Event) -> None:
        first = asyncio.create_task(threads.run(gate.wait))
        done: list[int] = []
        second = asyncio.create_task(threads.run(done.append, 1))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.set()
        assert await first
        assert not done

    run(scene)
