"""Find the services that a command works with: the operator's own, or those of the running local stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from models.session import open_engine
from pipeline.ports import Embedder, Index
from worker.settings import Settings, default_home, load_settings


def effective_environment() -> dict[str, str]:
    """Return the environment; the running local stack fills in the addresses that it does not set."""
    from worker.local import service_environment  # noqa: PLC0415  only commands that need services pay for it

    home = Path(os.environ.get("MOBIUS_HOME") or default_home())
    return service_environment(home) | {name: value for name, value in os.environ.items() if value}


@dataclass(frozen=True)
class Services:
    """Adapters for one command, opened when they are first used."""

    settings: Settings

    @cached_property
    def engine(self) -> Engine:
        """The database, checked to have the schema of this version.

        Raises:
            SchemaMismatch: It is empty, older, newer, or without pgvector.
            ServiceUnavailable: It does not answer.
        """
        from models import schema  # noqa: PLC0415  alembic takes a while to import

        url = self.settings.require("database_url")
        schema.check(url)
        return open_engine(url, pool_size=4)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder that the settings choose."""
        from worker.context import build_embedder  # noqa: PLC0415  see build_index

        return build_embedder(self.settings)

    @cached_property
    def index(self) -> Index:
        """The index of the embedder's model, checked to exist with the right dimensions.

        Raises:
            DimensionMismatch: Its collection has others.
            ServiceUnavailable: It does not answer.
        """
        from worker.context import build_index  # noqa: PLC0415  qdrant-client takes a while to import

        index = build_index(self.settings, self.embedder)
        index.ensure()
        return index


def open_services() -> Services:
    """Return the services of the effective environment.

    Raises:
        MisconfiguredError: A setting is bad.
    """
    return Services(load_settings(effective_environment()))
