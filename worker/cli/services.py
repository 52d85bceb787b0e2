"""The services that a command works with: the operator's own, or those of the running local stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from models import schema
from models.control import PostgresControl
from models.dead_letters import DeadLetters
from models.keys import Keys
from models.session import open_engine, transaction
from models.sources import Sources
from models.views import Views
from pipeline.types import EmbeddingModel
from worker.embedding import build_embedder, build_index, build_query_embedder, embedding_model
from worker.settings import Settings

if TYPE_CHECKING:
    from pipeline.ports import Embedder, Index, QueryEmbedder

#: Connections of one command at most: a walk reads and writes the ledger at once, and holds a lock.
_CONNECTIONS = 4


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
        engine = open_engine(self.settings.require("database_url"), pool_size=_CONNECTIONS)
        with transaction(engine) as connection:
            schema.require(connection)
        return engine

    @cached_property
    def views(self) -> Views:
        """What is known of runs and documents."""
        return Views(self.engine)

    @cached_property
    def sources(self) -> Sources:
        """Tenants, projects and their sources."""
        return Sources(self.engine)

    @cached_property
    def control(self) -> PostgresControl:
        """What cancels, pauses and resumes."""
        return PostgresControl(self.engine)

    @cached_property
    def keys(self) -> Keys:
        """The API keys."""
        return Keys(self.engine)

    def dead_letters(self, tenant: str, project: str | None) -> DeadLetters:
        """Return the dead letters of a tenant: of one project, or of all."""
        return DeadLetters(self.engine, tenant, project)

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
