"""Decide whether Flower is closed to strangers: it shows what is worked on, and can end workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from worker.doctor.findings import Finding, Silence, ok, problem, skipped, warning

_LISTEN = "0A"


class Api(StrEnum):
    """What Flower's API lets a stranger do."""

    CLOSED = "closed"
    READ_ONLY = "read only"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class FlowerSeen:
    """What a stranger is answered. ``is_exposed``: whether other machines reach it, None where that is unknown."""

    address: str
    asks_login: bool
    api: Api
    is_exposed: bool | None
    is_encrypted: bool


def judge(seen: FlowerSeen | Silence | None) -> Finding:
    """Judge Flower's exposure; None: nobody said where it is."""
    name = "flower"
    if seen is None:
        return skipped(name, "no Flower is known", "if one runs, set MOBIUS_FLOWER_URL to have it checked.")
    if isinstance(seen, Silence):
        return problem(name, seen.found, seen.advice)
    close = (
        "start it with FLOWER_BASIC_AUTH=user:password in its environment, --read-only and --address=127.0.0.1, and"
        " without FLOWER_UNAUTHENTICATED_API."
    )
    reach = " from other machines" if seen.is_exposed else ""
    if seen.api is Api.OPEN:
        return problem(name, f"anyone who reaches {seen.address}{reach} can end workers and revoke tasks", close)
    if not seen.asks_login or seen.api is Api.READ_ONLY:
        return problem(name, f"{seen.address} shows everything{reach} without asking who is there", close)
    if seen.is_exposed and not seen.is_encrypted:
        return warning(
            name,
            f"{seen.address} asks for a password, which other machines can read on its way; /metrics needs none",
            "bind it to 127.0.0.1 and put a proxy with TLS before it.",
        )
    return ok(
        name,
        f"{seen.address} asks for a password"
        + (" and listens on this machine only" if seen.is_exposed is False else ""),
    )


def listens_beyond_loopback(port: int, tables: Iterable[str]) -> bool | None:
    """Tell whether a port of this machine is reached from others; ``tables``: texts of /proc/net/tcp and tcp6.

    None if nobody listens on it here.
    """
    found = [
        address
        for table in tables
        for line in table.splitlines()[1:]
        if (columns := line.split())[3] == _LISTEN
        for address, its_port in [columns[1].split(":")]
        if int(its_port, 16) == port
    ]
    return any(not _is_loopback(address) for address in found) if found else None


def _is_loopback(hexadecimal: str) -> bool:
    # The kernel prints words of 32 bits as the machine has them in memory: least significant byte first.
    raw = bytes.fromhex(hexadecimal)
    address = ip_address(b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4)))
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback
