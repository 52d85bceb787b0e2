"""Whatever the ledger is asked while Postgres is away, the answer names the service and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from harness.bench import SUMMARY, Bench
from sqlalchemy.exc import IntegrityError

from models.intake import Intake
from models.ledger import PostgresLedger
from models.searching import CommittedChunks
from models.session import open_engine, transaction
from models.sources import Sources
from models.views import Views
from pipeline.errors import ServiceUnavailable
from pipeline.intake import AcceptedDeletion, AcceptedDocument, BrokenDocument, FreshStatus, OpenRun, SourceRef
from pipeline.types import (
    Claim,
    DocumentRef,
    EmbeddingCall,
    EmbeddingModel,
    EmbeddingReply,
    Hit,
    Priority,
    Scope,
    Stage,
    Token,
)

SCOPE = Scope(uuid4(), uuid4())
SOURCE = SourceRef(uuid4(), SCOPE, "tenant", "project", "source", "/root")
RUN = OpenRun(uuid4(), SOURCE, Priority.NORMAL)
TOKEN = Token(uuid4(), Stage.PARSE, 1)
CLAIM = Claim(TOKEN, uuid4(), RUN.id, SOURCE.id, SCOPE, 1)
MODEL = EmbeddingModel("testing", "recording", 8)
REPLY = EmbeddingReply(EmbeddingCall((b"h" * 32,), ("text",)), (bytes(32),), 1)
REF = DocumentRef(uuid4(), "a.txt", "text", 1, b"r" * 32)


def plan(engine: Any) -> None:
    with Intake(engine).planning(SOURCE, Priority.NORMAL, patience=0.0, on_wait=lambda: None):
        pytest.fail("planned without a ledger")


def ledger(engine: Any) -> PostgresLedger:
    return PostgresLedger(engine, max_attempts=3)


CALLS: dict[str, Callable[[Any], object]] = {
    "claim": lambda engine: ledger(engine).claim(TOKEN, "host:1", 60.0),
    "extend": lambda engine: ledger(engine).extend(CLAIM, 60.0),
    "hand_back": lambda engine: ledger(engine).hand_back(CLAIM, "Error", "", 0.0, forgive=True),
    "documents_to_parse": lambda engine: ledger(engine).documents_to_parse(CLAIM, 1),
    "commit_outlines": lambda engine: ledger(engine).commit_outlines(CLAIM, 1, [], []),
    "documents_to_chunk": lambda engine: ledger(engine).documents_to_chunk(CLAIM, 1),
    "commit_chunk_sets": lambda engine: ledger(engine).commit_chunk_sets(CLAIM, [], []),
    "register_model": lambda engine: ledger(engine).register_model(MODEL, 1),
    "documents_to_embed": lambda engine: ledger(engine).documents_to_embed(CLAIM),
    "reserve_embeddings": lambda engine: ledger(engine).reserve_embeddings(CLAIM, MODEL, [b"h" * 32]),
    "save_reply": lambda engine: ledger(engine).save_reply(CLAIM, MODEL, REPLY),
    "record_rejected": lambda engine: ledger(engine).record_rejected(CLAIM, []),
    "commit_embedded": lambda engine: ledger(engine).commit_embedded(CLAIM, []),
    "vectors": lambda engine: ledger(engine).vectors(MODEL, [b"h" * 32]),
    "documents_to_upsert": lambda engine: ledger(engine).documents_to_upsert(CLAIM),
    "commit_chunks": lambda engine: ledger(engine).commit_chunks(CLAIM, [], MODEL),
    "finish_slice": lambda engine: ledger(engine).finish_slice(CLAIM, [], []),
    "strays": lambda engine: ledger(engine).strays([(uuid4(), REF)]),
    "take_ready": lambda engine: ledger(engine).take_ready(8, oldest_first=True),
    "put_back": lambda engine: ledger(engine).put_back(TOKEN),
    "sweep": lambda engine: ledger(engine).sweep(60.0),
    "planning": plan,
    "known_documents": lambda engine: list(Intake(engine).known_documents(SOURCE, "versions")),
    "accept": lambda engine: Intake(engine).accept(
        RUN, [AcceptedDocument("a", "text", b"", b"r" * 32, "", is_new=True)]
    ),
    "accept_deletions": lambda engine: Intake(engine).accept_deletions(RUN, [AcceptedDeletion(uuid4(), 1)]),
    "record_broken": lambda engine: Intake(engine).record_broken(RUN, [BrokenDocument("a", "E", "", is_new=True)]),
    "refresh_stats": lambda engine: Intake(engine).refresh_stats([FreshStatus(uuid4(), 1, "")]),
    "close": lambda engine: Intake(engine).close(RUN, SUMMARY),
    "resolve": lambda engine: Sources(engine).resolve("tenant", "project", "source", "/root"),
    "scope_of": lambda engine: Sources(engine).scope_of("tenant", "project"),
    "report": lambda engine: Views(engine).report("tenant", RUN.id, MODEL.key),
    "progress": lambda engine: Views(engine).progress(RUN.id),
    "runs": lambda engine: Views(engine).runs("tenant"),
    "whereabouts": lambda engine: Views(engine).whereabouts(SCOPE, [uuid4()]),
    "join": lambda engine: CommittedChunks(engine).join(SCOPE, [Hit(uuid4(), 1.0, 1)]),
}


@pytest.fixture
def closed(closed_port: int) -> Any:
    engine = open_engine(f"postgresql://mobius:secret@127.0.0.1:{closed_port}/mobius", pool_size=1)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", CALLS)
def test_every_call_names_the_service_that_does_not_answer(name: str, closed: Any) -> None:
    with pytest.raises(ServiceUnavailable, match=r"Postgres does not answer .* DATABASE_URL") as caught:
        CALLS[name](closed)
    assert caught.value.service == "Postgres"
    assert "secret" not in str(caught.value)


def test_a_pool_without_a_free_connection_is_an_outage_and_no_crash(database_url: str) -> None:
    engine = open_engine(database_url, pool_size=1)
    engine.pool._timeout = 0.05
    with transaction(engine), pytest.raises(ServiceUnavailable):
        Views(engine).runs("tenant")
    engine.dispose()


def test_a_fault_of_ours_is_no_outage(bench: Bench) -> None:
    with pytest.raises(IntegrityError, match="violates foreign key constraint"):
        bench.intake.record_broken(RUN, [BrokenDocument("a.txt", "Unreadable", "", is_new=True)])
