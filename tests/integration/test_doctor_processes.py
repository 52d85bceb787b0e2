"""What mobius doctor sees of processes that run: Flower, open or closed, workers on some queues, and a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from harness.fleet import Fleet, wait_until
from harness.servers import RedisServer, free_port

from tasks.queues import CPU_QUEUES
from worker.doctor import embedder, flower
from worker.doctor.findings import Silence, Status
from worker.doctor.fleet import WorkersSeen, judge_workers
from worker.doctor.flower import Api, FlowerSeen
from worker.doctor.probes import embedder as look_embedder
from worker.doctor.probes import flower as look_flower
from worker.doctor.probes import workers as look_workers
from worker.settings import load_settings

# --- Flower

AUTH = {"FLOWER_BASIC_AUTH": "mobius:flower-word"}
UNAUTHENTICATED_API = {"FLOWER_UNAUTHENTICATED_API": "true"}


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthcheck", trust_env=False).is_success
    except httpx.TransportError:
        return False


def start_flower(fleet: Fleet, *options: str, **env: str) -> str:
    port = free_port()
    fleet.start("flower", ["celery", "-A", "worker.app", "flower", f"--port={port}", *options], **env)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_healthy(url), "Flower answers")
    return url


@pytest.mark.parametrize(
    ("options", "env", "expected", "status"),
    [
        (["--address=127.0.0.1"], AUTH, (True, Api.CLOSED, False), Status.OK),
        (["--address=0.0.0.0"], AUTH, (True, Api.CLOSED, True), Status.WARNING),
        (["--address=127.0.0.1"], {}, (False, Api.CLOSED, False), Status.PROBLEM),
        (["--address=127.0.0.1"], UNAUTHENTICATED_API, (False, Api.OPEN, False), Status.PROBLEM),
        (["--address=127.0.0.1", "--read-only"], UNAUTHENTICATED_API, (False, Api.READ_ONLY, False), Status.PROBLEM),
    ],
    ids=["closed", "closed, beyond loopback", "open", "open with its API", "open to read"],
)
def test_flowers_exposure_is_seen_from_outside(
    options: list[str], env: dict[str, str], expected: tuple[bool, Api, bool], status: Status, fleet: Fleet
) -> None:
    seen = look_flower.look(start_flower(fleet, *options, **env))
    assert isinstance(seen, FlowerSeen)
    assert (seen.asks_login, seen.api, seen.is_exposed) == expected
    assert flower.judge(seen).status is status


def test_a_password_in_the_address_is_neither_used_nor_shown(fleet: Fleet) -> None:
    url = start_flower(fleet, "--address=127.0.0.1", **AUTH)
    seen = look_flower.look(url.replace("http://", "http://mobius:flower-word@"))
    assert isinstance(seen, FlowerSeen)
    assert seen.asks_login
    assert "flower-word" not in flower.judge(seen).found


def test_a_flower_that_does_not_answer_is_a_problem(closed_port: int) -> None:
    finding = flower.judge(look_flower.look(f"http://u:flower-word@127.0.0.1:{closed_port}"))
    assert finding.status is Status.PROBLEM
    assert "flower-word" not in finding.found


# --- workers


def test_nobody_answers_where_nobody_works(redis_server: RedisServer) -> None:
    assert look_workers.look(load_settings({"REDIS_URL": redis_server.url})) == WorkersSeen({}, 0)


def test_a_worker_answers_with_its_queues_and_its_processes(fleet: Fleet, redis_server: RedisServer) -> None:
    fleet.worker("some", queues=",".join(CPU_QUEUES), processes=3)
    seen = look_workers.look(load_settings({"REDIS_URL": redis_server.url}))
    assert seen == WorkersSeen({"some@test": frozenset(CPU_QUEUES)}, 3)
    finding = judge_workers(seen, {*CPU_QUEUES, "embed"})
    assert (finding.status, "consumes embed" in finding.found) == (Status.PROBLEM, True)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}", "http://nonsense"])
def test_without_redis_nobody_is_asked(url: str, closed_port: int) -> None:
    seen = look_workers.look(load_settings({"REDIS_URL": url.format(port=closed_port)}))
    assert seen == Silence("see redis", "")


# --- the provider


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
