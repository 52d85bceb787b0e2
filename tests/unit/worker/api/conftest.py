"""The application without any service: the ledger's answers are given by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from models.keys import KeyOwner, key_hash, read_owner
from worker.api.app import build_app
from worker.api.services import ApiServices
from worker.settings import load_settings

KEY = "mob_the-right-one"
OWNER = KeyOwner(UUID(int=1), "tenant", UUID(int=2))


class Answers:
    """Stands where the ledger's reader does: one answer, or error, for each question."""

    def __init__(self) -> None:
        self.by_question: dict[Callable[..., Any], Any] = {}

    async def read(self, question: Callable[..., Any], *args: Any, **_options: Any) -> Any:
        if question is read_owner:
            return OWNER if args == (key_hash(KEY),) else None
        answer = self.by_question[question]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def app(answers: Answers) -> FastAPI:
    services = ApiServices(load_settings({"DATABASE_URL": "postgresql://me:hush@nowhere/none"}))
    services.reader = answers  # asks nobody
    return build_app(services)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as made:
        yield made
