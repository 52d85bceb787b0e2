"""Find the services that a command works with: the operator's own, or those of the running local stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from models import schema
from models.session import open_engine
from pipeline.ports import Embedder, Index, QueryEmbedder
from pipeline.types import EmbeddingModel
from worker.adapters.qdrant_probe import require_room
from worker.embedding import build_embedder, build_index, build_query_embedder, embedding_model, qdrant_key
from worker.local import service_environment
from worker.secret_files import file_variable
from worker.settings import Settings, default_home, load_settings

#: Connections of one command at most: a walk reads and writes the ledger at once, and holds a lock.
_CONNECTIONS = 4


def effective_environment() -> dict[str, str]:
    """Return the environment; the running local stack fills in the addresses that it does not set."""
    home = Path(os.environ.get("MOBIUS_HOME") or default_home())
    own = {name: value for name, value in os.environ.items() if value}
    local = {name: value for name, value in service_environment(home).items() if file_variable(name) not in own}
    return local | own


@dataclass(frozen=True)
class Services:
    """Adapters for one command, opened when they are first used."""

    settings: Settings

    @cached_property
    def engine(self) -> Engine:
        """The database, checked to have the schema of this version or a newer one.

        Raises:
            SchemaMismatch: It is empty, older, or of no version of ours.
            ServiceUnavailable: It does not answer.
        """
        url = self.settings.require("database_url")
        schema.check(url)
        return open_engine(url, pool_size=_CONNECTIONS)

    @cached_property
    def model(self) -> EmbeddingModel:
        """The model that the settings choose."""
        return embedding_model(self.settings)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder of that model."""
        return build_embedder(self.settings)

    @cached_property
    def query_embedder(self) -> QueryEmbedder:
        """What embeds queries with that model."""
        return build_query_embedder(self.settings, lambda: self.embedder)

    @cached_property
    def index(self) -> Index:
        """The index of that model."""
        return build_index(self.settings, self.model)

    def require_index(self) -> None:
        """Find a wrong index out now, not when the first slice reaches the last stage and is paid for.

        Raises:
            DimensionMismatch, BadCredentials, WrongAddress: An operator must act.
            ServiceUnavailable: It does not answer.
        """
        require_room(self.settings.require("qdrant_url"), qdrant_key(self.settings), self.model)


def open_services() -> Services:
    """Return the services of the effective environment.

    Raises:
        MisconfiguredError: A setting is bad.
    """
    return Services(load_settings(effective_environment()))
