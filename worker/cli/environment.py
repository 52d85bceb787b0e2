"""The environment that a command reads its settings from: its own, and the running local stack's addresses."""

from __future__ import annotations

import os
from pathlib import Path

from worker.local import service_environment
from worker.secret_files import file_variable
from worker.settings import default_home


def effective_environment() -> dict[str, str]:
    """Return the environment; the running local stack fills in the addresses that it does not set."""
    home = Path(os.environ.get("MOBIUS_HOME") or default_home())
    own = {name: value for name, value in os.environ.items() if value}
    local = {name: value for name, value in service_environment(home).items() if file_variable(name) not in own}
    return local | own
