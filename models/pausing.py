"""Say in SQL what is paused, and take what was sent of it back; the one place that knows how pauses are stored."""

from __future__ import annotations

from sqlalchemy import Connection, text

from models.transitions import slice_move
from pipeline.states import SliceEvent

FLEET_PAUSED = "EXISTS (SELECT 1 FROM fleet_pauses)"
#: Of a run that the statement calls ``r``.
PAUSED = f"(r.paused_at IS NOT NULL OR {FLEET_PAUSED})"
#: The word of ``pipeline.states.Hold`` for it.
HOLD = f"CASE WHEN r.cancelled_at IS NOT NULL THEN 'cancelled' WHEN {PAUSED} THEN 'paused' ELSE '' END"
#: The runs whose slices may not be sent. An array is made once, however many slices there are.
PAUSED_RUNS = "ARRAY(SELECT id FROM runs WHERE paused_at IS NOT NULL)"

_HOLD = text(
    slice_move(
        SliceEvent.HOLD,
        source="runs r",
        where=f"r.id = s.run_id AND {PAUSED}",
        returning="s.id",
        skip_locked=True,
    )
)


def hold_back(connection: Connection) -> int:
    """Make paused slices ready that were sent and not started; their messages find their tokens stale.

    What another transaction holds is left to the next sweep. Nobody may claim it meanwhile.
    """
    return len(connection.execute(_HOLD).all())
