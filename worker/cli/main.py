"""The command line: ``mobius COMMAND``. Every error is one message that says what to do; ``--debug`` adds the trace."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Annotated

import typer

from pipeline.errors import IngestError
from worker.cli import api, control, dead_letters, doctor, ingest, keys, reconcile, runs, searching, stack, why
from worker.cli.output import never_fail_on_a_character, note, printable, result
from worker.cli.report import EXIT_USAGE

#: What a shell reports for a command that Ctrl-C ended.
EXIT_INTERRUPTED = 130
#: The same for a command whose reader went away (128 + SIGPIPE).
EXIT_BROKEN_PIPE = 141

#: New objects after which Python looks for cycles. Imports make many objects and no garbage: looking after every 700
#: of them, as it is used to, takes a tenth of a short command's time.
_OBJECTS_BETWEEN_COLLECTIONS = 20_000

_DEBUG = "--debug"

app = typer.Typer(
    name="mobius",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # A value for --help saves Typer the import of pydantic (0.07 s), which it takes to make one of an absent flag.
    context_settings={"help_option_names": ["-h", "--help"], "default_map": {"help": False}},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    ingest.ingest,
    searching.search,
    why.why,
    reconcile.reconcile,
    stack.up,
    stack.down,
    stack.status,
    doctor.doctor,
    stack.migrate,
    stack.config,
    api.api,
)
for command in COMMANDS:
    app.command()(command)
app.command("pause")(control.pause_fleet)
app.command("resume")(control.resume_fleet)
app.add_typer(runs.app, name="runs")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib import metadata  # noqa: PLC0415  it takes 0.01 s and every other command does without

    try:
        result(f"mobius-ingest {metadata.version('mobius-ingest')}")
    except metadata.PackageNotFoundError:
        result("mobius-ingest, not installed: run from its source tree")
    raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
    _debug: Annotated[bool, typer.Option(_DEBUG, help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Ingest source code and documents into a vector index, and keep it true."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    never_fail_on_a_character()
    arguments, debug = _without_debug(sys.argv[1:])
    signal.signal(signal.SIGINT, _end_interrupted)
    if not debug:
        sys.excepthook = _say_briefly
    try:
        _run(arguments)
    except IngestError as exc:
        if debug:
            raise
        note(f"mobius: {exc}")
        sys.exit(EXIT_USAGE)
    finally:
        # The interpreter would look through everything once more at its end, which takes a fifth of a short command.
        gc.freeze()


def _run(arguments: list[str]) -> None:
    """Run a command; a reader that closes the pipe early ends it quietly."""
    try:
        try:
            app(arguments, prog_name="mobius")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail once more when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_BROKEN_PIPE)


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out, wherever it stands before a ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != _DEBUG]
    return options + arguments[end:], len(options) < end


def _end_interrupted(_signal: int, _frame: FrameType | None) -> None:
    note("interrupted; what was accepted is processed all the same: `mobius runs` shows it")
    raise SystemExit(EXIT_INTERRUPTED)


def _say_briefly(kind: type[BaseException], exc: BaseException, _trace: TracebackType | None) -> None:
    """Show what nobody foresaw without its traceback; the interpreter then ends with 1."""
    note(f"mobius: {kind.__name__}: {printable(str(exc))}")
    note(f"This is a fault of mobius; `mobius {_DEBUG} ...` shows where. Nothing that was accepted is lost.")


if __name__ == "__main__":
    main()
