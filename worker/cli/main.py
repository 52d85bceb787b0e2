"""The command line: ``mobius COMMAND``. Every error is one message that says what to do; ``--debug`` adds the trace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from pipeline.errors import IngestError
from worker.cli import ingest, queries, stack
from worker.cli.output import note

#: The operator or the configuration must change something first.
EXIT_USAGE = 2

app = typer.Typer(
    name="mobius",
    help="Ingest source code and documents into a vector index, and keep it true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    ingest.ingest,
    queries.search,
    queries.runs,
    queries.why,
    stack.up,
    stack.down,
    stack.status,
    stack.migrate,
    stack.config,
)
for command in COMMANDS:
    app.command()(command)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Ingest source code and documents into a vector index, and keep it true."""
    _Debug.wanted = debug


class _Debug:
    wanted = False


def main() -> None:
    """Run the command line."""
    try:
        app()
    except IngestError as exc:
        if _Debug.wanted:
            raise
        note(f"mobius: {exc}")
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        note("interrupted; what was accepted is processed all the same: `mobius runs` shows it")
        sys.exit(130)


if __name__ == "__main__":
    main()
