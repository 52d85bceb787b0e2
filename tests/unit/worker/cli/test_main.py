"""Help and misuse: what the command line says before it needs any service."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from worker.cli.main import _without_debug, app

COMMANDS = (
    "ingest",
    "search",
    "runs",
    "why",
    "up",
    "down",
    "status",
    "doctor",
    "migrate",
    "config",
    "dead-letters",
    "pause",
    "resume",
)


def run(*args: str) -> Result:
    """Run the command line in this process, on a terminal of 100 columns."""
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, args, prog_name="mobius")


@pytest.mark.parametrize("args", [("--help",), ("-h",), ()], ids=["--help", "-h", "no arguments"])
def test_help_names_every_command(args: tuple[str, ...]) -> None:
    done = run(*args)
    assert done.exit_code == (0 if args else 2)
    assert "Usage: mobius [OPTIONS] COMMAND" in done.stdout
    assert all(re.search(rf"^. {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)
    assert "--debug" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_and_all_its_options(name: str) -> None:
    done = run(name, "--help")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"Usage: mobius {name} " in done.stdout
    options = re.findall(r"^. +(--[a-z-]+|-k)\b[^A-Z]*([A-Z].*)", done.stdout, re.MULTILINE)
    assert ("--help" in name) or {"--help"} <= {option for option, _ in options}
    assert all(explanation.strip(" │") for _, explanation in options)


def test_ingest_takes_every_option_of_its_contract() -> None:
    shown = run("ingest", "--help").stdout
    options = ["--project", "--source", "--tenant", "--priority", "--no-wait", "--allow-delete", "--json"]
    assert all(option in shown for option in options)
    assert "high|normal|low" in shown
    assert all(code in shown for code in ("0:", "2:", "3:"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nonsense",), "No such command"),
        (("ingest",), "Missing argument"),
        (("ingest", ".", "--priority", "urgent"), "urgent"),
        (("ingest", ".", "--project", ""), "it is empty"),
        (("ingest", ".", "--tenant", "half \udcff"), "not valid UTF-8"),
        (("ingest", ".", "--source", "two\nlines"), "control characters"),
        (("search", " "), "say what to look for"),
        (("search", "x", "--exclude", "tests"), "name some of"),
        (("search", "x", "-k", "0"), "greater than or equal to 1"),
        (("search", "x", "--project", "p" * 201), "longer than 200 bytes"),
        (("runs", "no-uuid"), "neither a command (cancel, pause, resume, show) nor the id of a run"),
        (("runs", "cancel"), "Missing argument"),
        (("runs", "pause", "no-uuid"), "UUID"),
        (("dead-letters", "retry", "no-uuid"), "UUID"),
        (("dead-letters", "show"), "Missing argument"),
        (("runs", "--watch"), "needs the RUN_ID"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_misuse_is_explained_with_exit_code_2(args: tuple[str, ...], words: str) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert f"Usage: mobius {args[0] if args[0] in COMMANDS else '[OPTIONS]'}" in done.stderr


@pytest.mark.parametrize(
    ("given", "left", "debug"),
    [
        (["ingest", "."], ["ingest", "."], False),
        (["--debug", "ingest", "."], ["ingest", "."], True),
        (["ingest", ".", "--debug"], ["ingest", "."], True),
        (["search", "--", "--debug"], ["search", "--", "--debug"], False),
        (["search", "--debug", "--", "--debug"], ["search", "--", "--debug"], True),
        ([], [], False),
    ],
)
def test_debug_may_stand_anywhere_before_a_double_dash(given: list[str], left: list[str], debug: bool) -> None:
    assert _without_debug(given) == (left, debug)


def test_runs_names_what_may_be_done_to_a_run_and_still_takes_its_id() -> None:
    shown = run("runs", "--help").stdout
    assert all(re.search(rf"^. {name} ", shown, re.MULTILINE) for name in ("show", "cancel", "pause", "resume"))
    assert "RUN_ID" in shown
    assert run("runs", "show", "--help").stdout.count("--watch") == 1
