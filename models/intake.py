"""Accept what a producer plans: blobs, documents, slices and run rows in one transaction per slice.

Documents get their new generation here, and nothing is sent before this is committed. One producer at a time plans
a source; it holds an advisory lock that dies with its connection, so that the order of generations is the order in
which files were read, and so that a dead producer is recognised by its lock being free.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, text

from models.planning_lock import let_go, lock_source, unlock_source
from models.session import NOTIFY, transaction, translated
from models.transitions import document_move
from pipeline.errors import storable
from pipeline.identity import document_id
from pipeline.intake import (
    SLICE_VERSION,
    AcceptedDeletion,
    AcceptedDocument,
    BrokenDocument,
    FreshStatus,
    OpenRun,
    PlanSummary,
    PlanTakenOver,
    SourceRef,
)
from pipeline.plan import KnownDocument
from pipeline.states import DOCUMENT_TRANSITIONS, DocumentEvent
from pipeline.types import Priority, Stage

#: What the dispatcher sorts by; smaller goes first.
_RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

#: zlib's fastest level: on source code within 15 % of the default level's size at a third of its time.
_COMPRESSION = 1

_INTERRUPT_OLDER = text(
    "UPDATE runs SET plan_state = 'interrupted', updated_at = now() WHERE source_id = :source"
    " AND plan_state = 'planning'"
)
_OPEN = text("INSERT INTO runs (id, source_id, priority, plan_state) VALUES (:id, :source, :priority, 'planning')")
_CLOSE = text(
    "UPDATE runs SET plan_state = 'planned', planned_at = now(), updated_at = now(), seen = :seen,"
    " unchanged = :unchanged, skipped = CAST(:skipped AS jsonb), withheld = :withheld, message = :message,"
    " is_complete = :is_complete WHERE id = :run AND plan_state = 'planning'"
)
_KNOWN = text(
    "SELECT id, path, stat, revision, generation,"
    " state = 'indexed' AND indexed_generation = generation AND versions = :versions, state = 'pending', traits"
    " FROM documents"
    " WHERE source_id = :source AND state NOT IN ('deleted', 'deleting') ORDER BY path COLLATE \"C\""
)
_SAVE_BLOBS = text(
    "INSERT INTO blobs (sha256, size, data) SELECT DISTINCT ON (sha256) sha256, size, data"
    " FROM unnest(CAST(:shas AS bytea[]), CAST(:sizes AS bigint[]), CAST(:datas AS bytea[]))"
    " AS t(sha256, size, data) ORDER BY sha256 ON CONFLICT DO NOTHING"
)
_ACCEPTED = DOCUMENT_TRANSITIONS[DocumentEvent.ACCEPT][1].value
_ACCEPT = text(
    "INSERT INTO documents AS d (id, tenant_id, project_id, source_id, path, language, generation, revision, size,"
    " stat, traits, newlines, state) SELECT id, :tenant, :project, :source, path, language, 1, revision, size, stat,"
    f" string_to_array(traits, ','), newlines, '{_ACCEPTED}'"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:paths AS text[]), CAST(:languages AS text[]),"
    " CAST(:shas AS bytea[]), CAST(:sizes AS bigint[]), CAST(:stats AS text[]), CAST(:traits AS text[]),"
    " CAST(:newlines AS text[])) AS t(id, path, language, revision, size, stat, traits, newlines) ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET generation = d.generation + 1, revision = excluded.revision,"
    " language = excluded.language, size = excluded.size, stat = excluded.stat, state = excluded.state,"
    " traits = excluded.traits, newlines = excluded.newlines,"
    # Points say both of these, also those of chunks that stay as they are: all of them are written anew.
    " versions = CASE WHEN d.language = excluded.language AND coalesce(d.traits, '{}') = excluded.traits"
    " THEN d.versions ELSE '' END,"
    " error = '', message = '', deleted_at = NULL, updated_at = now() RETURNING d.id, d.generation, d.revision"
)
_ACCEPT_DELETIONS = text(
    document_move(
        DocumentEvent.ACCEPT_DELETION,
        sets="generation = d.generation + 1, revision = NULL, stat = ''",
        source="unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[])) AS t(id, generation)",
        where="d.id = t.id AND d.generation = t.generation",
        returning="d.id, d.generation, d.revision",
    )
)
_ACCEPT_BROKEN = text(
    "INSERT INTO documents AS d (id, tenant_id, project_id, source_id, path, language, generation, state, error,"
    " message) SELECT id, :tenant, :project, :source, path, 'text', 0, 'failed', error, message"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:paths AS text[]), CAST(:errors AS text[]), CAST(:messages AS text[]))"
    " AS t(id, path, error, message) ORDER BY id ON CONFLICT (id) DO NOTHING"
)
_ADD_BROKEN = text(
    "INSERT INTO run_documents (run_id, document_id, action, is_new, generation, outcome, error, message,"
    " finished_at) SELECT :run, t.id, 'index', is_new, d.generation, 'failed', t.error, t.message, now()"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:news AS bool[]), CAST(:errors AS text[]), CAST(:messages AS text[]))"
    " AS t(id, is_new, error, message) JOIN documents d ON d.id = t.id"
)
_ADD_SLICE = text(
    "INSERT INTO slices (id, run_id, stage, state, priority, version)"
    f" VALUES (:slice, :run, :stage, 'ready', :priority, {SLICE_VERSION})"
)
_ADD_DOCUMENTS = text(
    "INSERT INTO run_documents (run_id, document_id, slice_id, action, is_new, generation, revision, outcome)"
    " SELECT :run, id, :slice, :action, is_new, generation, revision, 'pending' FROM unnest(CAST(:ids AS uuid[]),"
    " CAST(:news AS bool[]), CAST(:generations AS bigint[]), CAST(:shas AS bytea[]))"
    " AS t(id, is_new, generation, revision)"
)
# The slices are locked so that none ends between being found unfinished and being waited for.
_UNFINISHED = text(
    "SELECT s.id FROM slices s WHERE s.state NOT IN ('done', 'failed', 'cancelled') AND s.id IN (SELECT rd.slice_id"
    " FROM run_documents rd WHERE rd.document_id = ANY(CAST(:ids AS uuid[])) AND rd.outcome = 'pending')"
    " ORDER BY s.id FOR SHARE"
)
_JOIN = text(
    "INSERT INTO run_documents (run_id, document_id, slice_id, action, is_new, generation, revision, outcome)"
    " SELECT DISTINCT ON (d.id) :run, d.id, rd.slice_id, rd.action, false, rd.generation, rd.revision, 'pending'"
    " FROM run_documents rd JOIN documents d ON d.id = rd.document_id AND d.generation = rd.generation"
    " JOIN unnest(CAST(:ids AS uuid[]), CAST(:shas AS bytea[])) AS t(id, revision)"
    " ON t.id = d.id AND t.revision = rd.revision"
    " WHERE rd.outcome = 'pending' AND rd.slice_id = ANY(CAST(:slices AS uuid[])) ORDER BY d.id RETURNING document_id"
)
_REFRESH_STATS = text(
    "UPDATE documents d SET stat = t.stat, traits = string_to_array(t.traits, ','), newlines = t.newlines"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[]), CAST(:stats AS text[]),"
    " CAST(:traits AS text[]), CAST(:newlines AS text[])) AS t(id, generation, stat, traits, newlines)"
    " WHERE d.id = t.id AND d.generation = t.generation"
)
_STILL_PLANNING = text("SELECT 1 FROM runs WHERE id = :run AND plan_state = 'planning' FOR SHARE")


class Intake:
    """The part of the ledger that producers use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def planning(
        self, source: SourceRef, priority: Priority, *, patience: float, on_wait: Callable[[], None]
    ) -> Iterator[OpenRun]:
        """Open a run and hold the source's planning lock for the block. ``patience``: seconds to wait for it.

        Raises:
            SourceBusy: Another producer plans this source for longer than that.
        """
        run = OpenRun(uuid4(), source, priority)
        values = {"source": source.id, "id": run.id, "priority": _RANK[priority]}
        with translated(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock_source(connection, source.id, patience, on_wait)
            try:
                connection.execute(_INTERRUPT_OLDER, values)
                connection.execute(_OPEN, values)
                yield run
            except BaseException:
                unlock_source(connection, source.id)
                raise
            let_go(connection, source.id)

    def known_documents(self, source: SourceRef, versions: str) -> Iterator[KnownDocument]:
        """Yield the source's documents in the order of their paths, as they are at the first one."""
        with transaction(self._engine) as connection:
            # The walk may take longer between two rows than idle transactions are allowed to.
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            rows = connection.execution_options(stream_results=True, yield_per=2_000).execute(
                _KNOWN, {"source": source.id, "versions": versions}
            )
            for row in rows:
                traits = None if row.traits is None else frozenset(row.traits)
                yield KnownDocument(row[0], row[1], row[2] or None, row[3], row[4], row[5], row[6], traits)

    def join(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> frozenset[str]:
        """Let the run wait for the slices that bring these revisions in; return the paths where there is one."""
        paths = {document_id(run.source.id, document.path): document.path for document in documents}
        columns = {"run": run.id, "ids": list(paths), "shas": [document.revision for document in documents]}
        with self._accepting(run) as connection:
            slices = list(connection.execute(_UNFINISHED, columns).scalars())
            joined = connection.execute(_JOIN, {**columns, "slices": slices}).scalars().all() if slices else []
        return frozenset(paths[document] for document in joined)

    def accept(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> None:
        """Take on one slice of new revisions: each document's generation grows by one."""
        ids = [document_id(run.source.id, document.path) for document in documents]
        is_new = dict(zip(ids, (document.is_new for document in documents), strict=True))
        columns = {
            "ids": ids,
            "paths": [document.path for document in documents],
            "languages": [document.language for document in documents],
            "shas": [document.revision for document in documents],
            "sizes": [len(document.data) for document in documents],
            "stats": [document.stat for document in documents],
            "traits": [",".join(document.reading.trait_names) for document in documents],
            "newlines": [document.reading.newlines.value for document in documents],
            "datas": [zlib.compress(document.data, _COMPRESSION) for document in documents],
        }
        with self._accepting(run) as connection:
            connection.execute(_SAVE_BLOBS, columns)
            rows = connection.execute(_ACCEPT, {**columns, **_owner(run)}).all()
            _add_slice(connection, run, Stage.PARSE, "index", [(*row, is_new[row[0]]) for row in rows])

    def accept_deletions(self, run: OpenRun, deletions: Sequence[AcceptedDeletion]) -> None:
        """Take on one slice of deletions; a document that changed since the plan saw it is left alone."""
        columns = {
            "ids": [deletion.document_id for deletion in deletions],
            "generations": [deletion.generation for deletion in deletions],
        }
        with self._accepting(run) as connection:
            rows = connection.execute(_ACCEPT_DELETIONS, columns).all()
            _add_slice(connection, run, Stage.UPSERT, "delete", [(*row, False) for row in rows])

    def record_broken(self, run: OpenRun, broken: Sequence[BrokenDocument]) -> None:
        """Record files that could not be read as failed in this run."""
        columns = {
            "ids": [document_id(run.source.id, item.path) for item in broken],
            "paths": [item.path for item in broken],
            "errors": [item.error for item in broken],
            "messages": [storable(item.message) for item in broken],
            "news": [item.is_new for item in broken],
        }
        with transaction(self._engine) as connection:
            connection.execute(_ACCEPT_BROKEN, {**columns, **_owner(run)})
            connection.execute(_ADD_BROKEN, {**columns, "run": run.id})

    def refresh_stats(self, stats: Sequence[FreshStatus]) -> None:
        """Remember newer file status of unchanged documents."""
        columns = {
            "ids": [fresh.document_id for fresh in stats],
            "generations": [fresh.generation for fresh in stats],
            "stats": [fresh.stat for fresh in stats],
            "traits": [",".join(fresh.reading.trait_names) for fresh in stats],
            "newlines": [fresh.reading.newlines.value for fresh in stats],
        }
        with transaction(self._engine) as connection:
            connection.execute(_REFRESH_STATS, columns)

    def close(self, run: OpenRun, summary: PlanSummary) -> None:
        """End the planning of a run; from here on its state is that of its documents.

        Raises:
            PlanTakenOver: Another producer ended it already.
        """
        values = {
            "run": run.id,
            "seen": summary.seen,
            "unchanged": summary.unchanged,
            "skipped": json.dumps(summary.skipped),
            "withheld": summary.withheld,
            "message": summary.message,
            "is_complete": summary.is_complete,
        }
        with transaction(self._engine) as connection:
            if connection.execute(_CLOSE, values).rowcount != 1:
                raise PlanTakenOver

    @contextmanager
    def _accepting(self, run: OpenRun) -> Iterator[Connection]:
        """Run the block in one transaction, as the only producer that plans the source.

        The lock is held by another connection, which may be lost without our noticing; but then whoever takes the
        lock next ends this run's plan first.

        Raises:
            PlanTakenOver: That happened.
        """
        with transaction(self._engine) as connection:
            if connection.execute(_STILL_PLANNING, {"run": run.id}).one_or_none() is None:
                raise PlanTakenOver
            yield connection


def _add_slice(
    connection: Connection, run: OpenRun, stage: Stage, action: str, rows: list[tuple[UUID, int, bytes | None, bool]]
) -> None:
    if not rows:
        return
    slice_id = uuid4()
    values = {"slice": slice_id, "run": run.id, "stage": stage.value, "priority": _RANK[run.priority]}
    ids, generations, revisions, news = (list(column) for column in zip(*rows, strict=True))
    connection.execute(_ADD_SLICE, values)
    connection.execute(
        _ADD_DOCUMENTS,
        {
            "run": run.id,
            "slice": slice_id,
            "action": action,
            "ids": ids,
            "news": news,
            "generations": generations,
            "shas": revisions,
        },
    )
    connection.execute(NOTIFY)


def _owner(run: OpenRun) -> dict[str, UUID]:
    scope = run.source.scope
    return {"tenant": scope.tenant_id, "project": scope.project_id, "source": run.source.id}
