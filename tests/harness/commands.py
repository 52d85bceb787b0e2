"""Say what is wrong with a command line or a health check, without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import click
import typer
from celery.bin.celery import celery as celery_command
from typer.main import get_command

from worker.cli.main import app

#: Programs that health checks may use, by image. Ours is Debian with `findutils` (essential) and Python.
PROGRAMS = {
    "mobius-ingest": {"sh", "find", "python"},
    # PostgreSQL's client programs are installed with the server.
    "pgvector/pgvector": {"sh", "pg_isready"},
    # Debian: grep is essential. The image is built from source with redis-cli.
    "redis": {"sh", "grep", "redis-cli"},
    # No curl and no wget (qdrant/qdrant#4250); its entry point is a bash script.
    "qdrant/qdrant": {"sh", "bash"},
}
_BUILT_IN = {"test", "exec", "printf", "read"}
_WORD = re.compile(r"(?:^|\|\|?|&&|;|\$\()\s*([\w.-]+)")


def fault_of_command(argv: Sequence[str]) -> str | None:
    """Return why this is none of our commands, or None."""
    match list(argv):
        case ["mobius", *arguments]:
            return _fault_of_options(get_command(app), arguments)
        case ["python", "-m", module]:
            return None if find_spec(module) else f"there is no module {module}"
        case ["celery", "--app=worker.app", "flower", *arguments]:
            return _fault_of_flower(arguments)
        case ["celery", "--app=worker.app", *arguments]:
            return _fault_of_options(celery_command, arguments)
    return f"{argv} is no command of ours"


def _fault_of_options(command: Any, arguments: list[str]) -> str | None:
    # Typer brings its own copy of click, so neither the classes of commands nor those of errors are shared.
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        if name not in command.commands:
            return f"{name} is no command"
        command = command.commands[name]
    try:
        _, rest, _ = command.make_parser(command.context_class(command)).parse_args(arguments)
    except (click.UsageError, typer.BadParameter.__base__) as exc:
        return exc.format_message()
    return f"{rest} is left over" if rest else None


def _fault_of_flower(arguments: Sequence[str]) -> str | None:
    from flower import options as _defines_them  # noqa: F401, PLC0415
    from tornado.options import options  # noqa: PLC0415

    names = [argument.removeprefix("--").partition("=")[0] for argument in arguments]
    unknown = [name for name in names if name not in options]
    return f"{unknown} are no options of Flower" if unknown else None


def queues_of(argv: Sequence[str]) -> list[str]:
    """Return the queues that the command consumes."""
    return [queue for word in argv if word.startswith("--queues=") for queue in word[9:].split(",")]


def fault_of_health_check(service: Mapping[str, Any], test: Sequence[str]) -> str | None:
    """Return why the check cannot work in the service's image, or None."""
    image = str(service["image"]).partition(":")[0]
    kind, program, *arguments = test
    script = arguments[1] if arguments[:1] == ["-c"] else ""
    used = {program, *([] if program == "python" else _WORD.findall(script))} - _BUILT_IN
    if kind != "CMD" or (missing := used - PROGRAMS[image]):
        return f"{image} has no {missing if kind == 'CMD' else kind}"
    command = " ".join(service["command"]) if "command" in service else ""
    if program == "python":
        ast.parse(script)
        ports = re.findall(r'"127\.0\.0\.1", (\d+)', script)
        return None if [f"--port={port}" in command for port in ports] == [True] else "asks another port than it serves"
    files = re.findall(r"find (\S+)", script)
    wanted = service.get("environment", {}).get("MOBIUS_LIVENESS_FILE")
    return None if not files or files == [wanted] else f"looks at {files}, but {wanted} is touched"
