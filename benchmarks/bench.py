"""What all cases share: services, files, the provider's stand-in, and an environment of its own for every side."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpus import Corpus
from benchmarks.pipeline import CHECKOUT
from benchmarks.services import Services

_models = itertools.count(1)


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark. ``place`` is a directory for whatever the cases write."""

    services: Services
    corpus: Corpus
    place: Path
    provider_url: str
    provider_pid: int

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Yield the environment of a side: a database and a collection that nobody else uses."""
        database_url = self.services.create_database()
        # Other settings of the caller's stay, so that they can be tried out.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        try:
            yield {
                **kept,
                **self.services.environment,
                "DATABASE_URL": database_url,
                "MOBIUS_HOME": str(self.place / "no-stack-here"),
                # Workers are killed in the end, and leave temporary directories.
                "TMPDIR": str(self.place),
                "MOBIUS_EMBEDDER": "openai",
                "MOBIUS_OPENAI_MODEL": f"bench-{next(_models):04}",
                "OPENAI_API_KEY": "benchmark",
                "OPENAI_BASE_URL": self.provider_url,
            }
        finally:
            self.services.drop_database(database_url)

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> Any:
        """Run a module of the benchmark as a process of its own and return the JSON that it prints.

        Raises:
            SystemExit: It fails.
        """
        argv = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        with subprocess.Popen(argv, cwd=CHECKOUT, env=dict(environment), stdout=subprocess.PIPE) as process:
            try:
                said, _ = process.communicate()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise SystemExit(f"benchmarks: {module} failed; what it says stands above.")
        return json.loads(said)

    def servers(self) -> dict[str, int]:
        """Return the pids of everything that both sides use."""
        return {**self.services.pids, "provider": self.provider_pid}
