"""The engines and endpoints that the contract tests run on: always the fakes and our own servers, and real ones too.

``QDRANT_BIN`` (a ``qdrant`` program) and ``QDRANT_TEST_URL`` (a running server, which is left as it was found) each
add a real Qdrant to the index contract; without them those cases do not exist. The summary says which ran.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from harness.programs import Running, index_backends, launch, sidecar_argv
from harness.servers import free_port

from pipeline.ports import Index
from pipeline.testing import FakeIndex
from pipeline.types import EmbeddingModel, Scope
from worker.adapters.qdrant import QdrantIndex
from worker.adapters.qdrant_calls import connect_qdrant

_ROOT = Path(__file__).parents[2]
Launcher = Callable[..., Running]


@pytest.fixture
def launch_sidecar(tmp_path: Path) -> Iterator[Launcher]:
    """Start sidecars over directories of the test's choice; what still runs at its end is killed."""
    started: list[Running] = []

    def start(data: Path, *more: str) -> Running:
        port = free_port()
        started.append(launch(sidecar_argv(data, port, *more), port, tmp_path / "sidecar.log", cwd=_ROOT))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


@pytest.fixture
def run_sidecar() -> Callable[[Path, int], subprocess.CompletedProcess[str]]:
    """Run a sidecar that is expected to end by itself."""

    def run(data: Path, port: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            sidecar_argv(data, port), cwd=_ROOT, capture_output=True, text=True, timeout=30, check=False
        )

    return run


@pytest.fixture(scope="session")
def sidecar_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One sidecar for the whole session."""
    home = tmp_path_factory.mktemp("sidecar")
    port = free_port()
    running = launch(sidecar_argv(home / "data", port), port, home / "log", cwd=_ROOT)
    yield running.url
    assert running.stop() == 0


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One real Qdrant, from QDRANT_BIN, for the whole session."""
    home = tmp_path_factory.mktemp("qdrant")
    port = free_port()
    environment = os.environ | {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(free_port()),
        "QDRANT__TELEMETRY_DISABLED": "true",
    }
    running = launch([os.environ["QDRANT_BIN"]], port, home / "log", cwd=home, env=environment)
    yield running.url
    running.stop()


@dataclass
class Backend:
    """Makes indexes of one kind; ``url`` is None for the fake. Whatever it made is removed at the end."""

    name: str
    url: str | None
    made: ExitStack = field(default_factory=ExitStack)

    def index(self, model: EmbeddingModel) -> Index:
        if self.url is None:
            return FakeIndex(model)
        index = QdrantIndex(connect_qdrant(self.url, timeout=30), model)
        self.made.callback(index.close)
        self.made.callback(self.drop, index)
        return index

    def drop(self, index: Index) -> None:
        """Do what a careless operator does."""
        if isinstance(index, FakeIndex):
            index.drop()
        elif isinstance(index, QdrantIndex) and self.url is not None:
            client = connect_qdrant(self.url)
            client.delete_collection(index.collection)
            client.close()


@pytest.fixture(scope="session", params=index_backends())
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    urls: dict[str, str | None] = {"fake": None, "server": os.environ.get("QDRANT_TEST_URL")}
    name: str = request.param
    url = urls[name] if name in urls else request.getfixturevalue(f"{name}_url")
    found = Backend(name, url)
    with found.made:
        yield found


@pytest.fixture
def fresh_model() -> EmbeddingModel:
    """A model that nothing else uses, so that its collection is the test's own."""
    return EmbeddingModel("contract", f"fresh-{uuid4()}", 4)


@pytest.fixture(scope="session")
def index(backend: Backend) -> Index:
    """One index for the session; tests keep apart by their scopes."""
    made = backend.index(EmbeddingModel("contract", f"shared-{uuid4()}", 4))
    made.ensure()
    return made


@pytest.fixture
def scope() -> Scope:
    return Scope(uuid4(), uuid4())
