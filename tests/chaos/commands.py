"""The product's command line, run beside the stack as its users do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from harness.members import ROOT

Command = subprocess.Popen[str]


def start(env: Mapping[str, str], *args: str, quiet: bool = False) -> Command:
    """Start ``mobius`` with these arguments."""
    argv = [sys.executable, "-m", "worker.cli.main", *args]
    output = subprocess.DEVNULL if quiet else subprocess.PIPE
    return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, text=True)


def make_key(env: Mapping[str, str]) -> str:
    """Return a new key of the API."""
    said, _ = start(env, "keys", "create", "--json").communicate(timeout=120)
    return str(json.loads(said)["key"])
