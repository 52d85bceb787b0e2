"""Real services for every ring above unit: one local stack per session, one database per test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.containers import RedisContainer
from harness.databases import Databases
from harness.engines import Engine, Processes
from harness.fleet import Fleet
from harness.inspection import Inspection
from harness.members import without_coverage
from harness.servers import RedisServer
from harness.trees import write_tree

from pipeline.testing.openai_stub import OpenAIStub
from worker import local
from worker.local import postgres

pytest_plugins = ["harness.clusters", "harness.interrupts", "harness.summary"]


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """DATABASE_URL, REDIS_URL, QDRANT_URL and QDRANT_API_KEY of a local stack without workers."""
    home = tmp_path_factory.mktemp("stack") / "home"
    names = ("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "QDRANT_API_KEY", "MOBIUS_HOME")
    environ = {name: value for name, value in without_coverage(os.environ).items() if name not in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(postgres._SETTINGS, "fsync")  # as an argument it could not be changed while the server runs
        local.up(home, environ, report=print, services_only=True)
    try:
        yield local.service_environment(home)
    finally:
        local.down(home, report=print)


@pytest.fixture(scope="session")
def databases(services: dict[str, str]) -> Databases:
    """Makes databases on the session's server; their template is migrated once."""
    made = Databases(services["DATABASE_URL"])
    made.make_template()
    made.wait_for_the_disk(False)
    return made


@pytest.fixture
def durable(databases: Databases) -> Iterator[None]:
    """The server as the local stack runs it; other tests let it be quick."""
    databases.wait_for_the_disk(True)
    yield
    databases.wait_for_the_disk(False)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database of the test's own."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A database that nothing was ever done to."""
    with databases.empty() as url:
        yield url


@pytest.fixture
def engine() -> Engine:
    """What a test's Redis and its Celery cluster run as."""
    return Processes()


@pytest.fixture
def redis_server(engine: Engine, tmp_path: Path) -> Iterator[RedisServer | RedisContainer]:
    """A Redis of the test's own, which it may kill."""
    server = engine.redis(tmp_path / "redis")
    server.restart()
    yield server
    server.teardown()


@pytest.fixture
def environment(
    services: dict[str, str], database_url: str, redis_server: RedisServer | RedisContainer, tmp_path: Path
) -> dict[str, str]:
    """The environment of the product's processes: quick leases, so that recovery is seen within a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOBIUS_", "OPENAI_"))}
    return kept | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_server.url,
        "QDRANT_URL": services["QDRANT_URL"],
        "QDRANT_API_KEY": services["QDRANT_API_KEY"],
        "MOBIUS_HOME": str(tmp_path / "home"),
        "MOBIUS_LEASE_SECONDS": "3",
        "MOBIUS_HEARTBEAT_SECONDS": "0.5",
        "MOBIUS_SWEEP_SECONDS": "0.5",
        "MOBIUS_DISPATCH_TIMEOUT_SECONDS": "4",
        "MOBIUS_RETRY_SECONDS": "0.5",
    }


@pytest.fixture
def fleet(environment: dict[str, str], tmp_path: Path) -> Iterator[Fleet]:
    """Starts the product's processes; none of them outlives the test."""
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Fleet(environment, logs)
    yield started
    started.end()


@pytest.fixture
def inspection(environment: dict[str, str]) -> Inspection:
    """Reads the test's own Postgres and Qdrant directly."""
    return Inspection(environment["DATABASE_URL"], environment["QDRANT_URL"], environment["QDRANT_API_KEY"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small source tree: several languages, several chunks."""
    root = tmp_path / "tree"
    write_tree(root, files=6)
    return root


@pytest.fixture
def provider(environment: dict[str, str]) -> Iterator[OpenAIStub]:
    """A recording provider, which the processes of this test embed with instead of locally."""
    with OpenAIStub(dims=32) as stub:
        environment |= {
            "MOBIUS_EMBEDDER": "openai",
            "OPENAI_API_KEY": "a-test-key",
            "OPENAI_BASE_URL": stub.url,
            "MOBIUS_OPENAI_DIMS": "32",
            "MOBIUS_OPENAI_MODEL": f"stub-{environment['DATABASE_URL'].rpartition('/')[2]}",
        }
        yield stub
