"""Flower is closed to strangers, or the operator is told how to close it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.doctor.findings import Silence, Status
from worker.doctor.flower import Api, FlowerSeen, judge, listens_beyond_loopback

CLOSED = FlowerSeen("h:5555", asks_login=True, api=Api.CLOSED, is_exposed=False, is_encrypted=False)
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (CLOSED, Status.OK, "this machine only"),
        (replace(CLOSED, is_exposed=None), Status.OK, "asks for a password"),
        (replace(CLOSED, is_exposed=True), Status.WARNING, "TLS"),
        (replace(CLOSED, is_exposed=True, is_encrypted=True), Status.OK, "asks for a password"),
        (replace(CLOSED, asks_login=False), Status.PROBLEM, "FLOWER_BASIC_AUTH"),
        (replace(CLOSED, asks_login=False, is_exposed=True), Status.PROBLEM, "from other machines"),
        (replace(CLOSED, asks_login=False, api=Api.READ_ONLY), Status.PROBLEM, "without asking"),
        (replace(CLOSED, asks_login=False, api=Api.OPEN), Status.PROBLEM, "end workers"),
        (replace(CLOSED, api=Api.OPEN), Status.PROBLEM, "end workers"),
        (Silence("it does not answer", "start it"), Status.PROBLEM, "start it"),
        (None, Status.SKIPPED, "MOBIUS_FLOWER_URL"),
    ],
)
def test_exposure(seen: FlowerSeen | Silence | None, status: Status, words: str) -> None:
    finding = judge(seen)
    assert finding.status is status
    assert words in f"{finding.found} {finding.advice}"


def line(address: str, state: str = "0A") -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("0100007F:15B3")], False),
        ([line("00000000:15B3")], True),
        ([line("0100007F:15B3"), line("0A00020F:15B3")], True),
        ([line("00000000:15B4")], None),
        ([line("00000000:15B3", state="01")], None),
        ([line(f"{'0' * 32}:15B3")], True),
        ([line("00000000000000000000000001000000:15B3")], False),
        ([line("0000000000000000FFFF00000100007F:15B3")], False),
        ([], None),
    ],
    ids=["loopback", "all", "two", "another port", "no listener", "v6 all", "v6 loopback", "v4 in v6", "nothing"],
)
def test_the_kernels_table_tells_how_far_a_port_is_reached(lines: list[str], expected: bool | None) -> None:
    assert listens_beyond_loopback(5555, [HEAD + "".join(lines), HEAD]) is expected
