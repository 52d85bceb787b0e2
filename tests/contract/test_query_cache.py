"""A query is paid for once as long as it is remembered, by whatever process; and no fault of the memory fails it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from harness.servers import RedisServer, free_port

from pipeline.errors import RateLimited
from pipeline.testing import RecordingEmbedder, hashed_vector
from pipeline.types import EmbeddingModel
from worker.adapters import query_cache
from worker.adapters.query_cache import SLOTS, CachedQueries


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the module's own."""
    made = RedisServer(tmp_path_factory.mktemp("queries") / "redis")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def embedder() -> RecordingEmbedder:
    return RecordingEmbedder(EmbeddingModel("testing", f"recording-{uuid4()}", 8))


Process = Callable[[], CachedQueries]


@pytest.fixture
def process(server: RedisServer, embedder: RecordingEmbedder) -> Iterator[Process]:
    """Make what another process would have."""
    made: list[CachedQueries] = []

    def make() -> CachedQueries:
        made.append(CachedQueries(lambda: embedder, embedder.model, server.url))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_another_process_buys_no_query_again(process: Process, embedder: RecordingEmbedder) -> None:
    vectors = [process().embed_query("größe of a basket") for _ in range(3)]
    assert vectors == [hashed_vector("größe of a basket", 8)] * 3
    assert embedder.queries == ["größe of a basket"]


def test_other_queries_and_other_models_are_others(process: Process, server: RedisServer, embedder) -> None:
    process().embed_query("one")
    assert process().embed_query("two") == hashed_vector("two", 8)
    wider = RecordingEmbedder(EmbeddingModel("testing", embedder.model.name, 16))
    other = CachedQueries(lambda: wider, wider.model, server.url)
    assert other.embed_query("one") == hashed_vector("one", 16)
    other.close()
    assert (embedder.queries, wider.queries) == (["one", "two"], ["one"])


def test_the_embedder_is_not_even_made_for_what_is_remembered(process: Process, server, embedder) -> None:
    process().embed_query("one")

    def refuse() -> RecordingEmbedder:
        raise AssertionError

    cached = CachedQueries(refuse, embedder.model, server.url)
    assert cached.embed_query("one") == hashed_vector("one", 8)
    cached.close()


def test_memory_is_bounded_whatever_is_asked(process: Process, server, embedder, monkeypatch) -> None:
    monkeypatch.setattr(query_cache, "SLOTS", 2)
    cached = process()
    for number in range(20):
        assert cached.embed_query(f"query {number}") == hashed_vector(f"query {number}", 8)
    with server.client as client:
        keys = list(client.scan_iter(match=f"mobius:query:{embedder.model.key}:*"))
        assert len(keys) == 2
        assert all(0 < client.ttl(key) <= 7 * 24 * 3600 for key in keys)
    assert SLOTS * (32 + 4 * 1536) < 26_000_000


def test_a_damaged_entry_is_bought_again(process: Process, server: RedisServer, embedder: RecordingEmbedder) -> None:
    process().embed_query("one")
    with server.client as client:
        (key,) = client.scan_iter(match=f"mobius:query:{embedder.model.key}:*")
        for damaged in (b"", b"short", client.get(key)[:-1], b"x" * len(client.get(key))):
            client.set(key, damaged)
            assert process().embed_query("one") == hashed_vector("one", 8)
    assert embedder.queries == ["one"] * 5


def test_a_refused_query_is_not_remembered(process: Process, embedder: RecordingEmbedder) -> None:
    embedder.script.append(RateLimited(1.0))
    with pytest.raises(RateLimited):
        process().embed_query("one")
    assert process().embed_query("one") == hashed_vector("one", 8)


def test_without_redis_queries_are_bought(embedder: RecordingEmbedder) -> None:
    cached = CachedQueries(lambda: embedder, embedder.model, f"redis://127.0.0.1:{free_port()}/0")
    assert [cached.embed_query("one") for _ in range(2)] == [hashed_vector("one", 8)] * 2
    assert embedder.queries == ["one", "one"]
    cached.close()


def test_a_redis_that_does_not_answer_is_left_alone_for_a_while(embedder: RecordingEmbedder) -> None:
    asked: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.01)
        stop = threading.Event()

        def accept() -> None:
            held = []
            while not stop.is_set():
                try:
                    held.append(silent.accept()[0])
                    asked.append(1)
                except TimeoutError:
                    continue
            for each in held:
                each.close()

        thread = threading.Thread(target=accept)
        thread.start()
        cached = CachedQueries(lambda: embedder, embedder.model, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        cached.embed_query("one")
        before = len(asked)
        cached.embed_query("two")
        stop.set()
        thread.join()
        cached.close()
    assert before > 0
    assert len(asked) == before
    assert embedder.queries == ["one", "two"]


def test_a_wrong_password_costs_calls_and_nothing_else(embedder: RecordingEmbedder, server: RedisServer) -> None:
    address = server.url.split("@")[-1].removeprefix("redis://")
    cached = CachedQueries(lambda: embedder, embedder.model, f"redis://:wrong@{address}")
    assert cached.embed_query("one") == hashed_vector("one", 8)
    cached.close()
