"""Which packages a process of the product imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from harness.members import ROOT

_TOLD = "; import json, sys; print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
#: Runs one command after the other in this process, whatever they end with.
_COMMANDS = """
import sys
from worker.cli.main import app
for arguments in {commands!r}:
    try:
        app(arguments, prog_name="mobius")
    except SystemExit as end:
        print(arguments, "ended with", end.code, file=sys.stderr)
    except Exception as error:
        print(arguments, "raised", type(error).__name__, file=sys.stderr)
"""


def imported_by(program: str, env: Mapping[str, str] | None = None) -> set[str]:
    """Run a program in a process with these of our variables only; return the packages that it has imported then."""
    return set(_run(program, env)[0])


def imported_by_commands(*commands: list[str], env: Mapping[str, str] | None = None) -> tuple[set[str], list[str]]:
    """Run commands in one process; return the packages it has imported then, and how each command ended."""
    packages, errors = _run(_COMMANDS.format(commands=commands) + "pass", env)
    ends = [line for line in errors.splitlines() if line.startswith("[")]
    assert len(ends) == len(commands), errors
    return set(packages), [line.partition("] ")[2] for line in ends]


def _run(program: str, env: Mapping[str, str] | None) -> tuple[list[str], str]:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("MOBIUS_", "COVERAGE"))}
    unset = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "QDRANT_URL"), "")
    done = subprocess.run(
        [sys.executable, "-c", program + _TOLD],
        cwd=ROOT,
        env={**foreign, **unset, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packages: list[str] = json.loads(done.stdout.splitlines()[-1])
    return packages, done.stderr
