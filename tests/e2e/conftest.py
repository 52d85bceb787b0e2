"""One fleet for all tests of a module; each test works in a project and a directory of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.databases import Databases
from harness.desk import Desk
from harness.fleet import PROVIDER_KEY, Fleet, environment_of
from harness.inspection import Inspection
from harness.servers import RedisServer
from harness.trees import function, module

from pipeline.testing.openai_stub import OpenAIStub


@dataclass(frozen=True)
class Crew:
    """A running worker and dispatcher, what they embed with, and the environment that leads to them."""

    env: dict[str, str]
    provider: OpenAIStub
    inspection: Inspection


@pytest.fixture(scope="module")
def crew(services: dict[str, str], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """A worker and a dispatcher on a database, a Redis and a collection of the module's own."""
    place = tmp_path_factory.mktemp("crew")
    redis = RedisServer(place / "redis")
    redis.start()
    with databases.migrated() as database_url, OpenAIStub(dims=32, api_key=PROVIDER_KEY) as provider:
        env = environment_of(services, database_url, redis.url, provider, place) | {"MOBIUS_RETRY_SECONDS": "0.5"}
        inspection = Inspection(env["DATABASE_URL"], env["QDRANT_URL"], env["QDRANT_API_KEY"])
        fleet = Fleet(env, place)
        try:
            fleet.dispatcher()
            fleet.worker("worker")
            yield Crew(env, provider, inspection)
        finally:
            fleet.end()
            redis.kill()


@pytest.fixture
def desk(crew: Crew, request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """A project of this test's own, and a tree whose texts no other test has: two modules and a document."""
    name = re.sub(r"\W+", "_", request.node.name).strip("_")[-60:]
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "first.py").write_text(module(f"{name}_first", 5))
    (tree / "second.py").write_text(function(f"{name}_second", 40))
    (tree / "README.md").write_text(f"# About {name}\n\nIt is read first.\n")
    return Desk(crew.env, name, tree, crew.inspection, crew.provider)
