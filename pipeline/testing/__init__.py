"""Fakes that keep the promises of the ports, for tests of ours and of anyone who builds on the ports."""

from pipeline.testing.clock import ManualClock
from pipeline.testing.fake_index import FakeIndex
from pipeline.testing.fake_leases import FakeLeases, HandedBack
from pipeline.testing.fake_reconciliation import FakeReconciliation
from pipeline.testing.intake import FakeIntake
from pipeline.testing.ledger import FakeLedger
from pipeline.testing.ledger_control import FakeControl
from pipeline.testing.memory_limiter import MemoryLimiter
from pipeline.testing.recording_embedder import RecordingEmbedder
from pipeline.testing.vectors import hashed_vector

__all__ = [
    "FakeControl",
    "FakeIndex",
    "FakeIntake",
    "FakeLeases",
    "FakeLedger",
    "FakeReconciliation",
    "HandedBack",
    "ManualClock",
    "MemoryLimiter",
    "RecordingEmbedder",
    "hashed_vector",
]
