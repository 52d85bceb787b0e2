"""The values that durability hangs on are what Celery really works with, and the two files hold nothing but values."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.defaults import SETTING_KEYS
from kombu.transport.redis import Channel

from pipeline.errors import MisconfiguredError

ROOT = Path(__file__).resolve().parents[2]
#: Read by the Redis result backend, but missing in Celery's own list of settings.
UNLISTED = {"redis_backend_health_check_interval"}


# --- values


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", False),
        ("worker_prefetch_multiplier", 1),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("accept_content", ("json",)),
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("task_ignore_result", False),
        ("task_always_eager", False),
        ("worker_hijack_root_logger", False),
        ("enable_utc", True),
        ("timezone", "UTC"),
    ],
)
def test_a_value_that_durability_hangs_on_is_in_effect(celery_app: Celery, setting: str, value: object) -> None:
    assert celery_app.conf[setting] == value


def test_messages_and_results_are_in_different_databases(celery_app: Celery) -> None:
    assert celery_app.conf.broker_url == "redis://user:secret@broker:6379/0"
    assert celery_app.conf.result_backend == "redis://user:secret@broker:6379/1"


def test_no_message_becomes_visible_again_while_its_task_may_still_run(celery_app: Celery) -> None:
    limits = [task["time_limit"] for task in celery_app.conf.task_annotations.values()]
    assert celery_app.conf.broker_transport_options["visibility_timeout"] > max(limits)


def test_every_stage_has_the_hard_limit_that_its_lease_is_extended_to(
    configuration: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CPU": "31", "IO": "47", "RECONCILE": "53"}.items():
        monkeypatch.setenv(f"MOBIUS_{name}_TIME_LIMIT", value)
    limits = {name: task["time_limit"] for name, task in configuration()["task_annotations"].items()}
    assert limits.pop("mobius.reconcile") == 53
    assert limits == {"mobius.parse": 31, "mobius.chunk": 31, "mobius.embed": 47, "mobius.upsert": 47}


def test_no_call_to_redis_waits_for_ever(celery_app: Celery) -> None:
    broker = celery_app.conf.broker_transport_options
    assert 0 < broker["socket_connect_timeout"] <= broker["socket_timeout"] <= 60
    results = celery_app.backend.connparams
    assert 0 < results["socket_connect_timeout"] <= results["socket_timeout"] <= 60
    assert results["health_check_interval"] == broker["health_check_interval"] == 25


def test_what_cannot_be_published_is_given_back_within_seconds(celery_app: Celery) -> None:
    policy = celery_app.conf.task_publish_retry_policy
    assert policy["max_retries"] * policy["interval_max"] <= 2


def test_a_shutdown_waits_for_the_task_at_hand_but_not_as_long_as_an_orchestrator_waits(celery_app: Celery) -> None:
    assert 0 < celery_app.conf.worker_soft_shutdown_timeout < 30
    assert celery_app.conf.worker_enable_soft_shutdown_on_idle is True


# --- names


def test_celery_knows_every_option_because_a_misspelt_one_would_be_ignored() -> None:
    written = {
        target.id
        for node in syntax("celeryconfig.py").body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    }
    assert written - set(SETTING_KEYS) == UNLISTED


def test_kombu_knows_every_transport_option_for_the_same_reason(celery_app: Celery) -> None:
    assert set(celery_app.conf.broker_transport_options) <= set(Channel.from_transport_options)


def test_celery_and_kombu_are_the_versions_whose_faults_we_know() -> None:
    assert (version("celery"), version("kombu")) == ("5.6.3", "5.7.0")
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {"celery[redis]==5.6.3", "kombu==5.7.0"} <= set(dependencies)


# --- the files


def test_the_application_takes_its_configuration_from_the_file() -> None:
    calls = [node for node in ast.walk(syntax("worker/app.py")) if isinstance(node, ast.Call)]
    assert "app.config_from_object('celeryconfig')" in map(ast.unparse, calls)


def test_without_redis_the_configuration_says_what_to_do(
    configuration: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(MisconfiguredError, match=r"REDIS_URL is not set .* `mobius up`"):
        configuration()


def syntax(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@pytest.mark.parametrize("path", ["celeryconfig.py", "beat_schedule.py"])
def test_the_file_holds_a_docstring_imports_and_assignments_only(path: str) -> None:
    module = syntax(path)
    assert ast.get_docstring(module)
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    others = [ast.unparse(node) for node in module.body[1:] if not isinstance(node, allowed)]
    assert others == []
