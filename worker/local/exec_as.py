"""Become somebody else, enter a directory, and turn into another program: a command for root."""

from __future__ import annotations

import os
import sys

from worker.local import privileges


def main(run_as: str, directory: str, *argv: str) -> None:
    """Run ``argv`` (its first word is a path) as ``run_as`` (JSON) in ``directory``.

    Raises:
        OSError: One of these is not allowed.
    """
    if (who := privileges.decode(run_as)) is not None:
        privileges.become(who)
    os.chdir(directory)
    os.execv(argv[0], argv)  # noqa: S606  the program is what we are for


if __name__ == "__main__":
    main(*sys.argv[1:])
