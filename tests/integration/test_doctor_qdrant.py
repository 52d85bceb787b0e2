"""What mobius doctor sees of the local index: with and without the model's collection, misfit, closed, wrong key."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from harness.diagnosis import advised

from worker.adapters.qdrant_layout import alias_of
from worker.doctor import qdrant
from worker.doctor.findings import Finding, Silence
from worker.doctor.probes import qdrant as look_qdrant
from worker.embedding import embedding_model
from worker.settings import load_settings


@pytest.fixture
def qdrant_environ(services: dict[str, str], database_url: str) -> dict[str, str]:
    """The local index, and a model that no other test has."""
    return {
        "QDRANT_URL": services["QDRANT_URL"],
        "QDRANT_API_KEY": services["QDRANT_API_KEY"],
        "MOBIUS_EMBEDDER": "openai",
        "OPENAI_API_KEY": "key",
        "MOBIUS_OPENAI_MODEL": f"doctor-{urlsplit(database_url).path[1:]}",
        "MOBIUS_OPENAI_DIMS": "8",
    }


def qdrant_findings(environ: dict[str, str]) -> list[Finding]:
    return qdrant.judge(look_qdrant.look(load_settings(environ)))


def make_collection(environ: dict[str, str], dims: int, **more: object) -> None:
    settings = load_settings(environ)
    alias, name = alias_of(embedding_model(settings)), settings.openai_model
    with httpx.Client(base_url=environ["QDRANT_URL"], headers={"api-key": environ["QDRANT_API_KEY"]}) as client:
        vectors: dict[str, Any] = {"dense": {"size": dims, "distance": "Cosine"}}
        client.put(f"/collections/{name}", json={"vectors": vectors, **more}).raise_for_status()
        actions = [{"create_alias": {"collection_name": name, "alias_name": alias}}]
        client.post("/collections/aliases", json={"actions": actions}).raise_for_status()


def test_an_index_without_the_collection_is_fine(qdrant_environ: dict[str, str]) -> None:
    findings = qdrant_findings(qdrant_environ)
    assert advised(findings) == {}
    assert "none yet" in findings[1].found


def test_an_index_with_the_models_collection_is_fine(qdrant_environ: dict[str, str]) -> None:
    make_collection(qdrant_environ, 8, sparse_vectors={"sparse": {"modifier": "idf"}})
    findings = qdrant_findings(qdrant_environ)
    assert advised(findings) == {}
    assert "0 points" in findings[1].found


def test_a_collection_that_knows_no_words_yet_is_a_warning(qdrant_environ: dict[str, str]) -> None:
    make_collection(qdrant_environ, 8)
    assert "mobius reconcile --repair" in advised(qdrant_findings(qdrant_environ))["qdrant.collection"]


def test_a_collection_of_other_vectors_is_a_problem(qdrant_environ: dict[str, str]) -> None:
    make_collection(qdrant_environ, 4)
    assert "drop that alias" in advised(qdrant_findings(qdrant_environ))["qdrant.collection"]


def test_a_wrong_key_is_one_problem_that_does_not_show_it(qdrant_environ: dict[str, str]) -> None:
    findings = qdrant_findings(qdrant_environ | {"QDRANT_API_KEY": "wrong-word"})
    assert advised(findings) == {"qdrant": "set the right QDRANT_API_KEY and restart the workers."}
    assert "wrong-word" not in findings[0].found


def test_a_closed_port_and_a_bad_address_of_qdrant_are_advised(
    qdrant_environ: dict[str, str], closed_port: int
) -> None:
    for url in (f"http://127.0.0.1:{closed_port}", "ftp://h"):
        findings = qdrant_findings(qdrant_environ | {"QDRANT_URL": url})
        assert advised(findings).keys() == {"qdrant"}
        assert "QDRANT_URL" in f"{findings[0].found} {findings[0].advice}"


def test_an_index_that_is_not_set_is_not_looked_for() -> None:
    seen = look_qdrant.look(load_settings({}))
    assert isinstance(seen, Silence)
    assert "mobius up" in seen.advice
