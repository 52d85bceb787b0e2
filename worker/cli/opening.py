"""Open what a command works with, when its arguments are read: to import that takes most of a command's time.

The modules of the commands import none of it, so that help, the version and a refused argument come at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.cli.services import Services
    from worker.settings import Settings


def own_settings() -> Settings:
    """Return the settings of the process's environment, whatever local stack is running.

    Raises:
        MisconfiguredError: A setting is bad.
    """
    from worker.settings import load_settings  # noqa: PLC0415  pydantic takes 0.1 s to import

    return load_settings()


def open_settings() -> Settings:
    """Return the settings of the effective environment.

    Raises:
        MisconfiguredError: A setting is bad.
    """
    from worker.cli.environment import effective_environment  # noqa: PLC0415  the settings as above
    from worker.settings import load_settings  # noqa: PLC0415  the same

    return load_settings(effective_environment())


def open_services() -> Services:
    """Return the services of the effective environment.

    Raises:
        MisconfiguredError: A setting is bad.
    """
    from worker.cli.services import Services  # noqa: PLC0415  SQLAlchemy and psycopg take 0.25 s to import

    return Services(open_settings())
