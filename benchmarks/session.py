"""One benchmark from its start to its end: a directory that is removed, signals that clean up, errors that explain."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import require_proc
from pipeline.errors import IngestError


@contextmanager
def session() -> Iterator[Path]:
    """Yield a directory for everything that is written, which is gone afterwards.

    Raises:
        SystemExit: The block was interrupted, or something is not usable; the message says what.
    """
    require_proc()
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="mobius-bench-") as place:
            yield Path(place)
    except KeyboardInterrupt:
        raise SystemExit("benchmarks: interrupted; everything that was started is ended.") from None
    except IngestError as exc:
        raise SystemExit(f"benchmarks: {exc}") from exc
    finally:
        signal.signal(signal.SIGTERM, before)


def say(text: str) -> None:
    """Tell people how far it is, beside the results."""
    print(text, file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
