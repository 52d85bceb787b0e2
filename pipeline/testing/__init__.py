"""Fakes that keep the promises of the ports, for tests of ours and of anyone who builds on the ports."""

from pipeline.testing.fake_index import FakeIndex
from pipeline.testing.fake_leases import FakeLeases, HandedBack
from pipeline.testing.fake_reconciliation import FakeReconciliation
from pipeline.testing.recording_embedder import RecordingEmbedder
from pipeline.testing.vectors import hashed_vector

__all__ = ["FakeIndex", "FakeLeases", "FakeReconciliation", "HandedBack", "RecordingEmbedder", "hashed_vector"]
