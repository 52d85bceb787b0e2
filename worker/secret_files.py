"""Take secrets from files: where NAME_FILE names a file, its one line is the value of NAME.

That is how container platforms hand secrets over, so that they stand in no environment and no process list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

_SUFFIX = "_FILE"


def file_variable(name: str) -> str:
    """Return the variable that names the file with the value of ``name``."""
    return f"{name}{_SUFFIX}"


def read_secret_files(environ: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the environment with values in place of files, and one line for every file that cannot stand for one."""
    values, problems = dict(environ), []
    for name in names:
        path = values.pop(file_variable(name), "")
        if not path:
            continue
        if environ.get(name):
            problems.append(f"{name} and {file_variable(name)} are both set: unset one of them")
            continue
        try:
            values[name] = _one_line(Path(path))
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            problems.append(f"{file_variable(name)}: {path} is not usable: {reason}")
    return values, problems


def _one_line(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        # Its message would show a part of the secret.
        raise ValueError("it is not UTF-8 text") from None
    if not value.strip():
        raise ValueError("it is empty; write the value into it")
    if len(value.splitlines()) > 1 or "\0" in value:
        raise ValueError("it holds more than the value; write that alone into it, on one line")
    return value
