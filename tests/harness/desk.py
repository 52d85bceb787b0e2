"""One user at the command line: a project and a directory of their own on services that several tests share."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.fleet import ROOT
from harness.inspection import Inspection

from pipeline.testing.openai_stub import OpenAIStub

_PR_CAPBSET_DROP = 24
#: Linux capabilities 1 and 2: DAC_OVERRIDE and DAC_READ_SEARCH.
_ABOVE_PERMISSIONS = (1, 2)


def run_mobius(
    env: Mapping[str, str], *args: str | Path, cwd: Path = ROOT, prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, from any directory; ``prepare`` runs in the child before it."""
    search_path = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "worker.cli.main", *map(str, args)],
        cwd=cwd,
        env={**env, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=prepare,
    )


def heed_permissions() -> None:
    """Make this process, root's or not, stop at what permissions forbid; takes effect with the next exec."""
    if os.geteuid() == 0:
        for capability in _ABOVE_PERMISSIONS:
            if ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "root's right to read everything cannot be dropped")


@dataclass(frozen=True)
class Desk:
    """Runs commands in one project and reads back what they did, in both stores and at the provider."""

    env: Mapping[str, str]
    project: str
    tree: Path
    inspection: Inspection
    provider: OpenAIStub

    def run(self, *args: str | Path, code: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command; it must end with ``code`` (None: with any) and never show a traceback."""
        env = {**self.env, "MOBIUS_PROJECT": self.project, **options.pop("extra", {})}
        done = run_mobius(env, *args, **options)
        assert "Traceback" not in done.stderr, done.stderr
        assert code in {None, done.returncode}, (
            f"{args}: exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def ingest(self, *args: str | Path, code: int = 0, **options: Any) -> dict[str, Any]:
        """Ingest the tree, or what is named, and return the report; nothing else may be on stdout."""
        done = self.run("ingest", *(args or (self.tree,)), "--json", code=code, **options)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def refused(self, *args: str | Path, code: int = 2, **options: Any) -> str:
        """Run a command that must fail before it reports anything, and return its message."""
        done = self.run(*args, code=code, **options)
        assert done.stdout == ""
        return done.stderr

    def search(self, query: str, *args: str, **options: Any) -> list[dict[str, Any]]:
        """Return the hits for a query, all chunks by their likeness unless told otherwise."""
        found: list[dict[str, Any]] = json.loads(
            self.run("search", query, "-k", "1000", "--mode", "dense", "--json", *args, **options).stdout
        )
        return found

    def bought(self, since: int = 0) -> list[str]:
        """Return the texts that the provider was sent for this project's files, after so many calls."""
        return [text for call in self.provider.calls[since:] for text in call.inputs if text.startswith("# ")]

    def texts(self, source: str | None = None) -> dict[str, bytes]:
        """Return each live document's text by its path, put together from its chunks as the ledger has them."""
        rows = self._rows(
            "SELECT d.path, c.start_byte, c.end_byte, b.data FROM documents d"
            " LEFT JOIN blobs b ON b.sha256 = d.committed_revision"
            " LEFT JOIN chunks c ON c.document_id = d.id AND c.retired_at IS NULL",
            "AND d.deleted_at IS NULL AND d.state = 'indexed' ORDER BY d.path, c.ordinal",
            source,
        )
        texts: dict[str, bytes] = {}
        for row in rows:
            text = zlib.decompress(row["data"]) if row["data"] else b""
            texts[row["path"]] = texts.get(row["path"], b"") + text[row["start_byte"] or 0 : row["end_byte"] or 0]
        return texts

    def chunks(self, source: str | None = None) -> dict[str, str]:
        """Return the text of every committed chunk by its id."""
        rows = self._rows(
            "SELECT c.id, c.start_byte, c.end_byte, b.data FROM chunks c JOIN documents d ON d.id = c.document_id"
            " JOIN blobs b ON b.sha256 = d.committed_revision",
            "AND c.retired_at IS NULL AND d.deleted_at IS NULL",
            source,
        )
        return {
            str(row["id"]): zlib.decompress(row["data"])[row["start_byte"] : row["end_byte"]].decode() for row in rows
        }

    def points(self) -> dict[str, dict[str, Any]]:
        """Return the payload of each point of this project, by its id."""
        ours = {str(row["id"]) for row in self.inspection.rows("SELECT id FROM projects WHERE name = %s", self.project)}
        return {point: payload for point, payload in self.inspection.points().items() if payload["project"] in ours}

    def assert_holds(self, files: Mapping[str, bytes], source: str | None = None) -> None:
        """Check that ledger and index hold exactly these texts of a source, and nothing that is half-way."""
        assert self.texts(source) == dict(files)
        chunks = self.chunks()
        points = self.points()
        assert points.keys() == chunks.keys()
        assert {payload["path"] for payload in points.values()} >= {path for path, text in files.items() if text}

    def state(self) -> tuple[object, ...]:
        """Return everything about this project that a run without work must leave as it is."""
        documents = self._rows("SELECT d.id, d.generation, d.indexed_generation, d.state FROM documents d", "", None)
        return self.points(), sorted(map(str, documents)), len(self.provider.calls)

    def _rows(self, select: str, more: str, source: str | None) -> list[dict[str, Any]]:
        return self.inspection.rows(
            f"{select} JOIN projects p ON p.id = d.project_id JOIN sources s ON s.id = d.source_id"
            f" WHERE p.name = %s AND (s.name = %s OR %s::text IS NULL) {more}",
            self.project,
            source,
            source,
        )


def files_of(tree: Path) -> dict[str, bytes]:
    """Read a tree without any rule of the product: every regular file by its relative path."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
