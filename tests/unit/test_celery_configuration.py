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


#: What must be in effect, ours or Celery's default, and what goes wrong without it.
SETTINGS: dict[str, tuple[object, str]] = {
    "task_acks_late": (True, "a shutdown would drop the messages that a worker has fetched and not begun"),
    "task_acks_on_failure_or_timeout": (True, "on Redis a failed message would stay unacknowledged and take a slot"),
    "task_reject_on_worker_lost": (False, "a document that kills its process would come back for ever (celery#9082)"),
    "task_always_eager": (False, "a producer would do the workers' work"),
    "task_ignore_result": (False, "the status API could not show what Celery believes"),
    "task_publish_retry": (True, "one lost connection would give a slice back to the ledger"),
    "task_serializer": ("json", "a message could run code"),
    "result_serializer": ("json", "a result could run code"),
    "accept_content": (("json",), "a message could run code"),
    "worker_prefetch_multiplier": (1, "slices would wait in one worker while others are idle, and be sent again"),
    "worker_disable_prefetch": (False, "5.6 takes no messages after a reconnection with it (fixed by celery#10345)"),
    "worker_deduplicate_successful_tasks": (False, "a result in Redis would decide what the ledger decides"),
    "worker_cancel_long_running_tasks_on_connection_loss": (False, "a worker exits when Redis is away (celery#9250)"),
    "worker_enable_soft_shutdown_on_idle": (True, "what an idle worker has fetched would wait for its lease"),
    "worker_hijack_root_logger": (False, "records would not be the one JSON a line that operators parse"),
    "broker_connection_retry_on_startup": (True, "a worker that starts before Redis would exit"),
    "broker_connection_max_retries": (None, "a worker would exit after 100 tries while Redis is away"),
    "result_backend_always_retry": (False, "a worker's main process would wait for results and take no messages"),
    "enable_utc": (True, "times of beat and of messages would depend on the machine"),
    "timezone": ("UTC", "times of beat and of messages would depend on the machine"),
}
#: The same for what kombu's Redis transport is told.
TRANSPORT: dict[str, tuple[object, str]] = {
    "retry_on_timeout": (False, "a publication that timed out is sent twice"),
    "socket_keepalive": (True, "a worker would wait on a dead connection"),
    "unacked_restore_interval": (5, "what a dead worker had fetched comes back after a minute and more"),
    "unacked_restore_throttle": (1, "what a dead worker had fetched comes back after a minute and more"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_value_that_durability_hangs_on_is_in_effect(celery_app: Celery, setting: str) -> None:
    value, reason = SETTINGS[setting]
    assert celery_app.conf[setting] == value, f"without {setting} = {value!r} {reason}"


@pytest.mark.parametrize("option", TRANSPORT)
def test_the_transport_is_told_what_durability_hangs_on(celery_app: Celery, option: str) -> None:
    value, reason = TRANSPORT[option]
    assert celery_app.conf.broker_transport_options.get(option) == value, f"without {option} = {value!r} {reason}"
    assert option in Channel.from_transport_options, f"kombu {version('kombu')} does not read {option}: {reason}"


def test_no_key_has_a_prefix_because_kombu_gives_it_to_some_commands_only(celery_app: Celery) -> None:
    assert "global_keyprefix" not in celery_app.conf.broker_transport_options


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


#: Each pin, how it is written in pyproject.toml, and what another version does.
PINS = {
    "celery": (
        "5.6.3",
        "celery[redis]",
        "5.7.0 exits when Redis is restarted under a worker that holds a message (since celery#10242)",
    ),
    "kombu": (
        "5.7.0",
        "kombu",
        "before 5.4 workers took no messages after a lost connection (celery#8030, celery#9054); others are not proven",
    ),
}


@pytest.mark.parametrize("package", PINS)
def test_celery_and_kombu_are_the_versions_whose_faults_we_know(package: str) -> None:
    pinned, requirement, fault = PINS[package]
    found = version(package)
    gate = "tests/e2e/test_recovery.py::test_redis_may_lose_everything_while_workers_are_busy"
    assert found == pinned, f"{package} {found} is installed, not {pinned}: {fault}. Before you change it, run {gate}"
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"{requirement}=={pinned}" in dependencies, f"{package} is not pinned to {pinned}: {fault}"


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
