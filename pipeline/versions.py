"""The versions by which workers of different releases know what of each other's work they may go on with.

While a fleet is upgraded old and new workers share queues and slices. Whatever one leaves for another says which
version it is of: a message, a slice, an outline (``pipeline.parse.parser``), a chunk set (``pipeline.chunk_codec``).
What is newer than a worker it leaves to a newer one; what is older is made again where it cannot be read.
"""

from __future__ import annotations

from pipeline.errors import TransientError
from pipeline.intake import SLICE_VERSION

#: Grows with every change to what a message says. Its first arguments are slice, stage and seq in every version, so
#: that any worker can hand the slice back.
MESSAGE_VERSION = 1


class MadeByNewer(TransientError):
    """A newer version of mobius-ingest left this; the slice waits for one of its workers."""


class MadeByOlder(TransientError):
    """An older version of mobius-ingest left these chunks; they are made again."""


def require_understood(message: int, slice_: int) -> None:
    """Return if a worker of this version may run a stage for a message and a slice of these versions.

    Raises:
        MadeByNewer: It may not know all that they mean.
    """
    if message > MESSAGE_VERSION:
        raise MadeByNewer(f"a newer version sent this message ({message}, not {MESSAGE_VERSION}); it waits for one.")
    if slice_ > SLICE_VERSION:
        raise MadeByNewer(f"a newer version planned this slice ({slice_}, not {SLICE_VERSION}); it waits for one.")
