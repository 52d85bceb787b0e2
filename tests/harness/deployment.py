"""What must hold for docker-compose.yml, as functions from the parsed file to what is wrong with it.

They take the document, so that a test can break it and see that they notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from harness.commands import fault_of_command, fault_of_health_check, queues_of
from jsonschema.validators import validator_for

from pipeline.types import Stage
from tasks.queues import CONTROL
from worker.settings import FILE_VARIABLES, Settings, variable_of

ROOT = Path(__file__).resolve().parents[2]
Document = dict[str, Any]
Service = dict[str, Any]
Rule = Callable[[Document], list[str]]

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<mark>:-|:\?)(?P<rest>[^}]*))?\})")
_SECRET = re.compile(r"PASSWORD|KEY|SECRET|TOKEN")
#: What the file is given where it insists on a value.
GIVEN = "given"


def read() -> Document:
    """Return the file as it is written, variables unresolved."""
    document: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def resolved(value: Any) -> Any:
    """Return the value as Compose sees it when only what it insists on is set."""
    if isinstance(value, Mapping):
        return {key: resolved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [resolved(part) for part in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        return match["rest"] if match["mark"] == ":-" else GIVEN

    return _VARIABLE.sub(replace, value)


def variables(document: Document) -> Iterator[tuple[str, str, str]]:
    """Yield every variable that Compose substitutes: (name, mark, default or message)."""
    for match in _VARIABLE.finditer(yaml.safe_dump(document, width=10_000)):
        if match["name"]:
            yield match["name"], match["mark"] or "", match["rest"] or ""


def services(document: Document) -> dict[str, Service]:
    """Return the services, resolved."""
    found: dict[str, Service] = resolved(document["services"])
    return found


def is_ours(service: Service) -> bool:
    """Return whether it runs our image."""
    return str(service["image"]).startswith("mobius-ingest:")


def is_one_shot(service: Service) -> bool:
    """Return whether it is meant to end by itself."""
    return service.get("restart") == "no"


def _for_each(check: Callable[[str, Service], Iterator[str]]) -> Rule:
    return lambda document: [
        f"{name}: {fault}" for name, service in services(document).items() for fault in check(name, service)
    ]


def follows_the_specification(document: Document) -> list[str]:
    schema = get_builtin_schema("vendor.compose-spec")
    return [error.message for error in validator_for(schema)(schema).iter_errors(resolved(document))]


def _images_are_pinned(_name: str, service: Service) -> Iterator[str]:
    tag = str(service["image"]).partition(":")[2]
    if not is_ours(service) and not re.match(r"v?\d+\.\d+\.\d+", tag):
        yield f"{service['image']} is not pinned to a version"


def _nothing_is_privileged(_name: str, service: Service) -> Iterator[str]:
    if str(service.get("user", "0")).partition(":")[0] in {"0", "root"}:
        yield "runs as root"
    if service.get("read_only") is not True:
        yield "its root file system can be written"
    if not any(str(mount).startswith("/tmp:") for mount in service.get("tmpfs", [])):  # noqa: S108
        yield "has no /tmp"
    if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
        yield "keeps privileges"


def _resources_are_limited(_name: str, service: Service) -> Iterator[str]:
    yield from (f"no {key}" for key in ("mem_limit", "cpus", "pids_limit", "logging") if not service.get(key))


def _what_ends_is_awaited_or_asked_for(document: Document) -> list[str]:
    found = services(document)
    conditions = {(name, need["condition"]) for s in found.values() for name, need in s.get("depends_on", {}).items()}
    faults = []
    for name, service in found.items():
        awaited = (name, "service_completed_successfully") in conditions
        if is_one_shot(service) != (awaited or bool(service.get("profiles"))):
            faults.append(f"{name}: ends by itself and nobody awaits it, or the other way round")
        if not is_one_shot(service) and service.get("restart") != "unless-stopped":
            faults.append(f"{name}: is not restarted")
    return faults


def _dependencies_are_ready(document: Document) -> list[str]:
    found = services(document)
    faults = []
    for name, service in found.items():
        needs = service.get("depends_on", {})
        for other, need in needs.items():
            wanted = "service_completed_successfully" if is_one_shot(found[other]) else "service_healthy"
            if need["condition"] != wanted:
                faults.append(f"{name}: waits for {other} with {need['condition']}")
        uses = " ".join(str(value) for value in service.get("environment", {}).values()) if is_ours(service) else ""
        missing = {other for other in ("postgres", "redis", "qdrant") if f"{other}:" in uses} - set(needs)
        if "@postgres:" in uses and not is_one_shot(service) and "migrate" not in needs:
            missing.add("migrate")
        faults += [f"{name}: does not wait for {other}" for other in sorted(missing)]
    return faults


def _variables_exist(_name: str, service: Service) -> Iterator[str]:
    if not is_ours(service):
        return
    from flower import options as _defines_them  # noqa: F401, PLC0415
    from tornado.options import options  # noqa: PLC0415

    known = {variable_of(field) for field in Settings.model_fields} | {f"{name}_FILE" for name in FILE_VARIABLES}
    known |= {f"FLOWER_{name.upper().replace('-', '_')}" for name in options.as_dict()}
    yield from (f"{name} is no setting" for name in service.get("environment", {}) if name not in known)


def _commands_are_ours(_name: str, service: Service) -> Iterator[str]:
    if is_ours(service) and (fault := fault_of_command([*service.get("entrypoint", []), *service["command"]])):
        yield fault


def _health_is_checked(_name: str, service: Service) -> Iterator[str]:
    check = service.get("healthcheck")
    if is_one_shot(service):
        return
    if check is None:
        yield "has no health check"
    elif fault := fault_of_health_check(service, check["test"]):
        yield fault


def _each_queue_has_one_consumer(document: Document) -> list[str]:
    consumers: dict[str, list[str]] = {queue: [] for queue in [*(stage.value for stage in Stage), CONTROL]}
    for name, service in services(document).items():
        for queue in queues_of(service.get("command", [])):
            consumers.setdefault(queue, []).append(name)
    known = {stage.value for stage in Stage} | {CONTROL}
    return [
        f"queue {queue}: consumed by {names or 'nobody'}"
        for queue, names in consumers.items()
        if len(names) != 1 or queue not in known
    ]


def _there_is_one_beat(document: Document) -> list[str]:
    beats = [service for service in services(document).values() if "beat" in service.get("command", [])]
    replicas = [service.get("deploy", {}).get("replicas") for service in beats]
    return [] if replicas == [1] else [f"beat runs {replicas} times"]


def _secrets_are_chosen(document: Document) -> list[str]:
    faults = [
        f"{name} has a default"
        for name, mark, rest in variables(document)
        if _SECRET.search(name) and not (mark == ":?" or (mark == ":-" and not rest))
    ]
    for name, service in document["services"].items():
        for variable, value in service.get("environment", {}).items():
            if _SECRET.search(variable) and "${" not in str(value):
                faults.append(f"{name}: {variable} is written down")
    return faults


def _stores_are_out_of_reach(document: Document) -> list[str]:
    faults = [] if document["networks"]["stores"] == {"internal": True} else ["the stores' network is open"]
    for name, service in services(document).items():
        if not is_ours(service) and service.get("networks") != ["stores"]:
            faults.append(f"{name}: is on other networks than the stores'")
        faults += [
            f"{name}: published as {port}"
            for port in service.get("ports", [])
            if not port.startswith("127.0.0.1:") or not is_ours(service)
        ]
    return faults


def _data_outlives_containers(document: Document) -> list[str]:
    named = set(document["volumes"])
    mounted = {volume.partition(":")[0] for s in services(document).values() for volume in s.get("volumes", [])}
    faults = [f"volume {name} is not both declared and mounted" for name in named ^ mounted]
    redis = " ".join(services(document)["redis"]["command"])
    wanted = ("--appendonly yes", "--maxmemory-policy noeviction", "--dir /data")
    return faults + [f"redis: {option} is missing" for option in wanted if option not in redis]


RULES: dict[str, Rule] = {
    "specification": follows_the_specification,
    "pinned": _for_each(_images_are_pinned),
    "privileges": _for_each(_nothing_is_privileged),
    "limits": _for_each(_resources_are_limited),
    "restart": _what_ends_is_awaited_or_asked_for,
    "dependencies": _dependencies_are_ready,
    "variables": _for_each(_variables_exist),
    "commands": _for_each(_commands_are_ours),
    "health": _for_each(_health_is_checked),
    "queues": _each_queue_has_one_consumer,
    "beat": _there_is_one_beat,
    "secrets": _secrets_are_chosen,
    "networks": _stores_are_out_of_reach,
    "data": _data_outlives_containers,
}
