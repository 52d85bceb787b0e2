"""Coroutines run for synchronous code, and end with the thread that runs them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from worker.adapters.loop_thread import LoopThread


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_nothing_runs_before_the_first_coroutine():
    before = threading.active_count()
    loop = LoopThread("idle")
    assert threading.active_count() == before
    loop.close()


def test_results_come_back_and_the_thread_is_reused():
    loop = LoopThread("busy")
    assert [loop.submit(double(number)).result(5) for number in range(3)] == [0, 2, 4]
    assert [thread.name for thread in threading.enumerate()].count("busy") == 1
    loop.close()
    loop.close()
    assert "busy" not in [thread.name for thread in threading.enumerate()]


def test_closing_cancels_what_still_runs():
    loop = LoopThread("closing")
    endless = loop.submit(asyncio.sleep(3600))
    loop.submit(double(1)).result(5)
    loop.close()
    with pytest.raises(CancelledError):
        endless.result(5)
