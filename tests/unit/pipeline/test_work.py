"""A sweep that did nothing says so."""

from __future__ import annotations

import pytest

from pipeline.work import Swept


def test_a_sweep_that_found_nothing_is_false() -> None:
    assert not Swept(0, 0, 0, 0, 0)


@pytest.mark.parametrize("position", range(5))
def test_a_sweep_that_found_anything_is_true(position: int) -> None:
    assert Swept(*(int(position == each) for each in range(5)))
