import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from worker.local import probes
from worker.local.ports import LOOPBACK
from worker.local.specs import Probe, ProbeKind


@contextmanager
def server(reply: bytes) -> Iterator[int]:
    """Answer one connection with ``reply`` after it said something."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def asked(kind: ProbeKind, port: int, text: str = "x") -> bool:
    return probes.is_ready(Probe(kind, port=port, text=text), 0.0, Path("/nonexistent"), 0)


@pytest.mark.parametrize(
    ("kind", "reply", "ready"),
    [
        (ProbeKind.HTTP, b"HTTP/1.1 200 OK\r\n\r\n", True),
        (ProbeKind.HTTP, b"HTTP/1.1 503 Starting\r\n\r\n", False),
        (ProbeKind.POSTGRES, b"R\0\0\0\x17", True),
        (ProbeKind.POSTGRES, b"E\0\0\0\x17SFATAL", False),
        (ProbeKind.REDIS, b"+OK\r\n+PONG\r\n", True),
        (ProbeKind.REDIS, b"+OK\r\n-LOADING\r\n", False),
        (ProbeKind.REDIS, b"-WRONGPASS\r\n-NOAUTH\r\n", False),
        (ProbeKind.HTTP, b"", False),
    ],
)
def test_a_server_is_ready_when_it_says_so_in_its_protocol(kind: ProbeKind, reply: bytes, ready: bool) -> None:
    with server(reply) as port:
        assert asked(kind, port) is ready


def test_a_closed_port_is_not_ready() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    assert not asked(ProbeKind.HTTP, port)
    assert probes.answers(f"redis://{LOOPBACK}:{port}/0") is False


def test_a_log_line_of_an_earlier_life_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("celery@host ready.\n")
    probe = Probe(ProbeKind.LOG, text=" ready.", seconds=5)
    assert probes.is_ready(probe, 0.1, log, 0)
    assert not probes.is_ready(probe, 0.1, log, log.stat().st_size)
    assert probes.is_ready(probe, 5.0, log, log.stat().st_size)
    assert not probes.is_ready(probe, 0.1, tmp_path / "absent", 0)


def test_a_silent_process_is_ready_when_it_has_lived_long_enough(tmp_path: Path) -> None:
    assert not probes.is_ready(Probe(ProbeKind.ALIVE, seconds=1.5), 1.4, tmp_path, 0)
    assert probes.is_ready(Probe(ProbeKind.ALIVE, seconds=1.5), 1.5, tmp_path, 0)


@pytest.mark.parametrize("url", ["postgresql:///db?host=/run/postgresql", "redis+socket:///x", "http://h:nan", "what"])
def test_a_url_without_a_host_is_not_judged(url: str) -> None:
    assert probes.answers(url) is None


def test_a_listening_place_answers() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        assert probes.answers(f"postgresql+psycopg://u:p@{LOOPBACK}:{listener.getsockname()[1]}/db") is True
