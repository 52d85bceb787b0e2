"""The product's worker with a parser that does to its process what a file's text asks for.

It is started as ``celery -A harness.harmful worker``.
``WAIT`` waits until the file that it names is there.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

import pipeline.stages
from pipeline.parse.parser import parse
from pipeline.types import Outline
from worker.app import app

__all__ = ["app"]


def _take_memory() -> None:
    os.environb[b"_"] = bytes(bytearray(3 * 1024**3))


def _raise() -> None:
    raise ZeroDivisionError("the parser has a bug")


HARMS: dict[bytes, Callable[[], object]] = {
    b"SEGFAULT": lambda: ctypes.string_at(0),
    b"ABORT": os.abort,
    b"EXIT": lambda: os._exit(3),
    b"HANG": lambda: time.sleep(3600),
    b"MEMORY": _take_memory,
    b"RAISE": _raise,
}


def harmful(data: bytes, language: str, *, leaf_bytes: int) -> Outline:
    """Do harm, or parse."""
    for word, harm in HARMS.items():
        if word in data:
            harm()
    if b"WAIT " in data:
        path = Path(os.fsdecode(data.split(b"WAIT ")[1].split()[0]))
        while not path.exists():
            time.sleep(0.05)
    return parse(data, language, leaf_bytes=leaf_bytes)


pipeline.stages.parse = harmful
