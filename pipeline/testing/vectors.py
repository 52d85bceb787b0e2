"""Vectors that depend on nothing but the text, and the arithmetic on packed vectors that a fake index needs."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence

from pipeline.types import Vector


def hashed_numbers(text: str, dims: int) -> list[float]:
    """Return ``dims`` numbers derived from the SHAKE-256 of ``text``, as a vector of length one."""
    digest = hashlib.shake_256(text.encode()).digest(2 * dims)
    # Odd numbers only, so that no vector is zero.
    raw = [2 * number + 1 for number in struct.unpack(f"<{dims}h", digest)]
    norm = math.sqrt(sum(number * number for number in raw))
    return [number / norm for number in raw]


def hashed_vector(text: str, dims: int) -> Vector:
    """Return :func:`hashed_numbers` as packed little-endian float32."""
    return pack(hashed_numbers(text, dims))


def pack(numbers: Sequence[float]) -> Vector:
    """Return numbers as packed little-endian float32."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def unpack(vector: Vector) -> tuple[float, ...]:
    """Return the numbers of a packed vector."""
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def cosine(left: Vector, right: Vector) -> float:
    """Return the cosine similarity of two packed vectors, 0 where one of them is zero."""
    a, b = unpack(left), unpack(right)
    norm = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm if norm else 0.0
