"""Let this process see another time of day than the machine: in ``time`` and ``datetime``, where all libraries look.

Monotonic clocks stay right, as they do on a machine whose clock is wrong.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

_true_time, _true_time_ns = time.time, time.time_ns
_TrueDate, _TrueDatetime = datetime.date, datetime.datetime


class _Instances(type):
    """True dates, as the C code of libraries makes them, are instances as well."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])


def set_wrong(seconds: float) -> None:
    """Move the clock of this process ahead; what was imported before may keep the right one."""
    off = datetime.timedelta(seconds=seconds)

    class WrongDatetime(_TrueDatetime, metaclass=_Instances):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _TrueDatetime.now(tz) + off

        @classmethod
        def utcnow(cls) -> Any:
            return _TrueDatetime.now(datetime.UTC).replace(tzinfo=None) + off

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    class WrongDate(_TrueDate, metaclass=_Instances):
        @classmethod
        def today(cls) -> Any:
            return WrongDatetime.now().date()

    time.time = lambda: _true_time() + seconds
    time.time_ns = lambda: _true_time_ns() + int(seconds * 1e9)
    datetime.datetime, datetime.date = WrongDatetime, WrongDate
