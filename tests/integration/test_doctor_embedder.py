"""What mobius doctor asks of an embedding provider: its list of models, once, with the key, and of nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worker.doctor import embedder
from worker.doctor.findings import Status
from worker.doctor.probes import embedder as look_embedder
from worker.settings import load_settings


@contextmanager
def provider(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    """Serve GET by ``answer``; yield the base URL and the keys that arrived, by path."""
    arrived: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            arrived.append(f"{self.path} {self.headers.get('Authorization')}")
            answer(self)

        def log_message(self, *_args: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", arrived
        server.shutdown()


def reply(status: int, body: str = "", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body.encode())

    return send


def judged(base_url: str) -> tuple[Status, str]:
    settings = load_settings(
        {
            "MOBIUS_EMBEDDER": "openai",
            "OPENAI_API_KEY": "provider-word",
            "OPENAI_BASE_URL": base_url,
            "MOBIUS_OPENAI_MODEL": "m",
        }
    )
    finding = embedder.judge(look_embedder.look(settings), settings.openai_model)
    assert "provider-word" not in finding.found
    return finding.status, f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (reply(200, '{"data": [{"id": "m"}]}'), Status.OK, "serves m"),
        (reply(200, '{"data": [{"id": "n"}]}'), Status.WARNING, "does not list m"),
        (reply(200, "<html>"), Status.OK, "neither key nor model"),
        (reply(200, '{"data": [1]}'), Status.OK, "neither key nor model"),
        (reply(401, "{}"), Status.PROBLEM, "OPENAI_API_KEY"),
        (reply(503), Status.WARNING, "503"),
    ],
    ids=["lists it", "lists others", "no JSON", "other JSON", "refused", "broken"],
)
def test_the_providers_list_of_models_is_asked_for_with_the_key(
    answer: Callable[[BaseHTTPRequestHandler], None], status: Status, words: str
) -> None:
    with provider(answer) as (url, arrived):
        found = judged(url)
    assert arrived == ["/v1/models Bearer provider-word"]
    assert found[0] is status
    assert words in found[1]


def test_the_key_does_not_follow_a_redirection() -> None:
    with provider(reply(200)) as (other, stolen), provider(reply(302, Location=other)) as (url, arrived):
        judged(url)
    assert (len(arrived), stolen) == (1, [])


def test_a_provider_that_does_not_answer_is_a_problem(closed_port: int) -> None:
    assert judged(f"http://127.0.0.1:{closed_port}/v1")[0] is Status.PROBLEM


def test_the_local_embedder_asks_nobody() -> None:
    assert look_embedder.look(load_settings({"OPENAI_API_KEY": "key"})) is None
