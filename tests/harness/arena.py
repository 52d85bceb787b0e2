"""A database, a Redis, a provider and a fleet that the tests of one module strike, one file of their own each.

What the stores hold is judged by the history checker of the chaos suite, over all files that the module ever accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos.facts import Stores, Violation
from chaos.judge import judge_rest
from chaos.stores import Reader
from harness.bench import Bench
from harness.databases import Databases
from harness.fleet import Fleet, environment_of, wait_until
from harness.servers import RedisServer
from harness.trap import VARIABLE, Trap

from pipeline.testing.openai_stub import OpenAIStub

_QUICK = {
    "MOBIUS_LEASE_SECONDS": "1",
    "MOBIUS_HEARTBEAT_SECONDS": "0.25",
    "MOBIUS_SWEEP_SECONDS": "0.3",
    "MOBIUS_DISPATCH_TIMEOUT_SECONDS": "1.5",
    "MOBIUS_RETRY_SECONDS": "0.3",
}


@dataclass
class Arena:
    """Where one module's faults strike. ``files`` are those that must be there in the end, by path."""

    env: dict[str, str]
    bench: Bench
    provider: OpenAIStub
    redis: RedisServer
    fleet: Fleet
    trap: Trap
    files: dict[str, bytes] = field(default_factory=dict)

    def accept(self, files: Mapping[str, str]) -> None:
        """Accept files as one slice."""
        self.files |= {path: content.encode() for path, content in files.items()}
        self.bench.ingest(files)

    def accept_each(self, files: Mapping[str, str]) -> None:
        """Accept files as one slice each."""
        self.files |= {path: content.encode() for path, content in files.items()}
        self.bench.ingest(*({path: content} for path, content in files.items()))

    @property
    def home(self) -> Path:
        """Where a local stack of this arena would keep its state."""
        return Path(self.env["MOBIUS_HOME"])

    def reader(self) -> Reader:
        """Return what reads both stores."""
        return Reader(self.env["DATABASE_URL"], self.env["QDRANT_URL"], self.env["QDRANT_API_KEY"])

    def wait_until_done(self) -> None:
        """Wait until no work is left."""
        wait_until(lambda: not self.reader().open_work(), "all work is done")

    def stores(self) -> Stores:
        """Return what the stores hold; other tests' points are in the same index."""
        found = self.reader().at_rest()
        ours = {str(row["id"]) for row in self.reader().rows("SELECT id FROM projects")}
        points = {key: payload for key, payload in found.points.items() if payload["project"] in ours}
        return replace(found, points=points)

    def violations(self) -> list[Violation]:
        """Return every broken promise."""
        return judge_rest(self.files, self.stores())

    def bought_again(self, about: str = "") -> int:
        """Return how many texts that have this in them the provider was sent more than once.

        It notes a call when it answers, which may be long after its caller is gone: so name what else it must not be.
        """
        ours = [text for text in self.provider.inputs() if about in text]
        return len(ours) - len(set(ours))


@contextmanager
def opened(services: dict[str, str], databases: Databases, place: Path, **settings: str) -> Iterator[Arena]:
    """Open an arena without a fleet; whatever is started in it ends with it. ``settings`` are of its environment."""
    redis = RedisServer(place / "redis")
    redis.start()
    with databases.migrated() as database_url, OpenAIStub(dims=32) as provider:
        file = place / "trap"
        env = environment_of(services, database_url, redis.url, provider, place)
        env |= _QUICK | {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), VARIABLE: str(file)}
        env |= settings
        bench, fleet = Bench(database_url), Fleet(env, place)
        try:
            yield Arena(env, bench, provider, redis, fleet, Trap(file))
        finally:
            fleet.end()
            redis.kill()
            bench.close()
