"""The release after this one: our own source tree with every version one higher, and what comes with that.

Its messages say more, its chunk sets have another form, and its database has another migration, so a worker of this
version that took anything of it for its own would fail or write what is wrong.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.members import ROOT

from models.schema import known_revisions

_PACKAGES = ("migrations", "models", "pipeline", "tasks", "worker")
_MODULES = ("beat_schedule.py", "celeryconfig.py")
#: Where each version stands.
_VERSIONS = {
    "CHUNKER_VERSION": "pipeline/chunk.py",
    "HEADER_VERSION": "pipeline/header.py",
    "MESSAGE_VERSION": "pipeline/versions.py",
    "OUTLINE_VERSION": "pipeline/parse/parser.py",
    "PAYLOAD_VERSION": "pipeline/chunk_codec.py",
    "SLICE_VERSION": "pipeline/intake.py",
}
#: What is written otherwise: file, text and how often it stands there, the text in its place.
_CHANGES = (
    ("tasks/workflow.py", "stage.value, link.seq)", 1, "stage.value, link.seq, 'more')"),
    ("pipeline/chunk_codec.py", '"ends"', 2, '"stops"'),
)
#: Tables that get a column and an index.
_TABLES = ("slices", "documents", "run_documents", "chunks", "chunk_sets", "embeddings", "outlines", "blobs")


def next_release(place: Path) -> Path:
    """Make the tree of the next release below a directory and return it."""
    tree = place / "next"
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, tree / package)
    for module in _MODULES:
        shutil.copy2(ROOT / module, tree / module)
    for name, file in _VERSIONS.items():
        _rewrite(tree / file, rf"(?m)^{name} = \d+$", 1, f"{name} = {version_of(name) + 1}")
    for file, text, count, other in _CHANGES:
        _rewrite(tree / file, re.escape(text), count, other)
    (tree / "migrations" / "versions" / f"{next_revision()}_next.py").write_text(_migration())
    return tree


def next_revision() -> str:
    """Return the revision of the next release's schema."""
    return f"{int(known_revisions()[-1]) + 1:04}"


def version_of(name: str, tree: Path = ROOT) -> int:
    """Return one of the versions in a source tree."""
    found = re.search(rf"(?m)^{name} = (\d+)$", (tree / _VERSIONS[name]).read_text())
    assert found is not None, name
    return int(found[1])


def _rewrite(path: Path, pattern: str, count: int, replacement: str) -> None:
    text, found = re.subn(pattern, replacement, path.read_text())
    assert found == count, f"{path}: {pattern} stands there {found} times"
    path.write_text(text)


def _migration() -> str:
    return "\n".join(_migration_lines()) + "\n"


def _migration_lines() -> Iterator[str]:
    yield '"""What the policy for migrations allows: columns that older code need not know, indexes, tables."""'
    yield "import sqlalchemy as sa\nfrom alembic import op\n"
    yield f"revision, down_revision = {next_revision()!r}, {known_revisions()[-1]!r}"
    yield "def upgrade() -> None:"
    for table in _TABLES:
        column = "sa.Column('newer', sa.Text(), server_default='', nullable=False)"
        yield f"    op.add_column({table!r}, {column})\n    op.create_index('ix_{table}_newer', {table!r}, ['newer'])"
    yield "    op.create_table('newer', sa.Column('id', sa.Uuid(), primary_key=True))"
    yield "def downgrade() -> None:\n    pass"
