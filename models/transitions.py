"""Turn a row of the transition tables into the guarded UPDATE that performs it.

The fragments given here are SQL of ours, never input.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.states import DOCUMENT_TRANSITIONS, SLICE_TRANSITIONS, DocumentEvent, SliceEvent


def slice_move(
    event: SliceEvent, *, where: str, sets: str = "", source: str = "", returning: str = "", skip_locked: bool = False
) -> str:
    """Return the UPDATE of ``slices AS s`` that performs ``event``, but only where the table allows it.

    ``skip_locked``: it leaves out what another transaction holds, instead of waiting for it.
    """
    origins, target = SLICE_TRANSITIONS[event]
    if skip_locked:
        # An array is made once. The conditions are asked again by the UPDATE, of the rows as they are by then.
        tables = f"slices AS s, {source}" if source else "slices AS s"
        free = f"SELECT s.id FROM {tables} WHERE {_allowed('s', origins)} AND {where}"
        where = f"{where} AND s.id = ANY(ARRAY({free} FOR NO KEY UPDATE OF s SKIP LOCKED))"
    return _update("slices AS s", "s", target, origins, where, sets, source, returning)


def document_move(event: DocumentEvent, *, where: str, sets: str = "", source: str = "", returning: str = "") -> str:
    """Return the UPDATE of ``documents AS d`` that performs ``event``, but only where the table allows it."""
    origins, target = DOCUMENT_TRANSITIONS[event]
    return _update("documents AS d", "d", target, origins, where, sets, source, returning)


def _update(
    table: str, alias: str, target: str, origins: Iterable[str], where: str, sets: str, source: str, returning: str
) -> str:
    parts = [
        f"UPDATE {table} SET state = '{target!s}', updated_at = now()" + (f", {sets}" if sets else ""),
        f"FROM {source}" if source else "",
        f"WHERE {_allowed(alias, origins)} AND {where}",
        f"RETURNING {returning}" if returning else "",
    ]
    return "\n".join(part for part in parts if part)


def _allowed(alias: str, origins: Iterable[str]) -> str:
    words = ", ".join(f"'{origin!s}'" for origin in sorted(origins))
    return f"{alias}.state IN ({words})"
