"""What a user sees: help, bars on a terminal and lines elsewhere, one stream for results and one for the rest."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from harness.desk import Desk, run_mobius
from harness.fleet import ROOT, wait_until
from harness.trees import function


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "worker.cli.main", *map(str, args)]


def on_a_terminal(desk: Desk, *args: str | Path) -> tuple[int, str, str]:
    """Run a command with its stderr on a terminal; return its exit code, its stdout and what the terminal got."""
    leader, follower = pty.openpty()
    env = {**desk.env, "MOBIUS_PROJECT": desk.project, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command(*args), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=follower, text=True)
    os.close(follower)
    shown = bytearray()

    def drain() -> None:
        try:
            while block := os.read(leader, 65_536):
                shown.extend(block)
        except OSError:  # the other end is closed
            return

    reader = threading.Thread(target=drain)
    reader.start()
    printed, _ = process.communicate(timeout=100)
    reader.join()
    os.close(leader)
    return process.returncode, printed, shown.decode()


def test_the_traceback_is_shown_only_when_it_is_asked_for(tmp_path: Path) -> None:
    env = {**os.environ, "MOBIUS_HOME": str(tmp_path)}
    missing = tmp_path / "missing"
    assert "Usage: mobius [OPTIONS] COMMAND" in run_mobius(env).stdout
    for args in (("--debug", "ingest", missing), ("ingest", missing, "--debug")):
        assert "Traceback" in run_mobius(env, *args).stderr
    assert "Traceback" not in run_mobius(env, "ingest", missing).stderr


def test_a_terminal_shows_bars_with_stages_and_time_left_and_stdout_stays_clean(desk: Desk) -> None:
    for number in range(30):
        (desk.tree / f"more_{number}.py").write_text(function(f"{desk.project}_{number}"))
    desk.provider.latency = 0.3
    try:
        code, printed, shown = on_a_terminal(desk, "ingest", desk.tree)
    finally:
        desk.provider.latency = 0.0
    assert code == 0
    assert printed.startswith("run ")
    assert re.search(r"documents.*━.*/33.*(parse|chunk|embed|upsert) 33.*\d:\d\d:\d\d|--:--", shown)
    assert "\x1b" not in printed


def test_elsewhere_there_are_plain_lines_without_control_characters(desk: Desk) -> None:
    desk.provider.latency = 3.0
    try:
        done = desk.run("ingest", desk.tree)
    finally:
        desk.provider.latency = 0.0
    assert "\x1b" not in done.stdout + done.stderr
    assert "0 of 3 documents done (embed 3)" in done.stderr
    assert re.search(r"^run [0-9a-f-]{36}: succeeded in \d+\.\d s$", done.stdout, re.MULTILINE)
    assert "documents  3 indexed (3 new, 0 changed), 0 unchanged" in done.stdout


def test_project_and_source_are_named_before_the_work_begins(desk: Desk) -> None:
    first_line = desk.run("ingest", desk.tree, "--no-wait").stderr.splitlines()[0]
    assert first_line == f"ingesting {desk.tree} into project {desk.project}, source {desk.tree}"


def is_embedding(desk: Desk) -> bool:
    """Return whether a slice of this project is at its provider; those of earlier tests may be there as well."""
    return bool(
        desk.inspection.rows(
            "SELECT 1 FROM slices s JOIN runs r ON r.id = s.run_id JOIN sources o ON o.id = r.source_id"
            " JOIN projects p ON p.id = o.project_id"
            " WHERE p.name = %s AND s.stage = 'embed' AND s.state = 'running'",
            desk.project,
        )
    )


def test_ctrl_c_ends_the_command_and_not_the_work(desk: Desk) -> None:
    desk.provider.latency = 2.0
    env = {**desk.env, "MOBIUS_PROJECT": desk.project}
    argv = command("ingest", desk.tree)
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            wait_until(lambda: is_embedding(desk), "the files are being embedded")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            desk.provider.latency = 0.0
            process.kill()
    assert process.returncode == 130
    assert "what was accepted is processed all the same" in said
    assert "Traceback" not in said
    wait_until(lambda: "indexed" in desk.run("why", "first.py").stdout.splitlines()[1], "the work goes on")


def test_a_reader_that_closes_the_pipe_ends_the_command_quietly(desk: Desk) -> None:
    desk.ingest()
    env = {**desk.env, "MOBIUS_PROJECT": desk.project}
    process = subprocess.Popen(
        command("runs", "--json"), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said
    assert "Error" not in said


def test_a_terminal_that_knows_ascii_only_gets_escapes_and_valid_json(desk: Desk) -> None:
    (desk.tree / "grüße.py").write_text(function(f"{desk.project}_gruß"))
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    desk.run("ingest", desk.tree, extra=ascii_only)
    assert "gr\\xfc\\xdfe.py" in desk.run("why", "grüße.py", extra=ascii_only).stdout
    assert "grüße.py" in {hit["path"] for hit in desk.search("gruß", extra=ascii_only)}


def test_search_prints_where_what_and_the_beginning_of_the_text(desk: Desk) -> None:
    (desk.tree / "using.py").write_text("import os.path\n\n\n" + function("step"))
    desk.ingest()
    hits = desk.search("step")
    known = {"path", "start_line", "end_line", "language", "kind", "name", "scope", "score", "text", "traits", "facts"}
    assert {*hits[0]} == known
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    lines = (desk.tree / hits[0]["path"]).read_text().splitlines(keepends=True)
    assert "".join(lines[hits[0]["start_line"] - 1 : hits[0]["end_line"]]) == hits[0]["text"]
    assert len(hits) == len(desk.chunks())
    printed = desk.run("search", "step", "-k", "1", "--mode", "dense").stdout
    assert printed.startswith(f"{hits[0]['path']}:{hits[0]['start_line']}-{hits[0]['end_line']}  ")
    assert "    symbol: " not in printed
    assert "\n    symbol: " in desk.run("search", "step", "--verbose").stdout
    assert "  imports      os.path\n" in desk.run("why", "using.py").stdout
    assert "nothing found" in desk.run("search", "x", "--project", empty_project(desk)).stderr


def test_search_is_confined_to_files_with_a_trait_and_follows_its_changes(desk: Desk) -> None:
    (desk.tree / "deep" / "er").mkdir(parents=True)
    (desk.tree / "deep" / "er" / "long.py").write_text(function("settle"))
    (desk.tree / "deep" / "settle.md").write_text("# Settle\n\nWhat settle does.\n")
    (desk.tree / "deep" / "test_settle.py").write_text(function("settle"))
    (desk.tree / ".gitattributes").write_text("deep/*.md linguist-documentation\n")
    desk.ingest()
    assert paths(desk, "--path", "deep", "--exclude", "test,documentation") == {"deep/er/long.py"}
    assert paths(desk, "--path", "deep", "--only", "test") == {"deep/test_settle.py"}
    (desk.tree / ".gitattributes").write_text("deep/er/** linguist-generated\n")
    assert desk.ingest()["documents"]["changed"] == 3
    assert paths(desk, "--path", "deep", "--exclude", "generated", "--exclude", "test") == {"deep/settle.md"}
    (desk.tree / "deep" / "test_settle.py").unlink()
    desk.ingest()
    assert paths(desk, "--path", "deep") == {"deep/er/long.py", "deep/settle.md"}


def test_search_is_confined_to_places_languages_and_kinds_and_shows_whole_definitions(desk: Desk) -> None:
    long = "def settle(a):\n" + "".join(f"    settled_{n} = a + {n}  # {'step ' * 12}\n" for n in range(60))
    (desk.tree / "deep" / "er").mkdir(parents=True)
    (desk.tree / "deep" / "er" / "long.py").write_text(f"{long}    return a\n")
    (desk.tree / "deep" / "settle.md").write_text("# Settle\n\nWhat settle does.\n")
    desk.ingest()

    assert paths(desk, "--path", "deep") == {"deep/er/long.py", "deep/settle.md"}
    confined = paths(desk, "--path", "./deep/er/")
    assert confined == paths(desk, "--path", "deep", "--language", "python") == {"deep/er/long.py"}
    assert paths(desk, "--path", "er") == set()
    assert paths(desk, "--kind", "function", "--path", "deep/settle.md") == set()
    assert len(desk.search("settle", "--path", "deep/er")) > 1
    (whole,) = desk.search("settle", "--path", "deep/er", "--expand")
    assert whole["text"].startswith("def settle(a):\n")
    assert whole["text"].rstrip().endswith("return a")
    assert (whole["start_line"], whole["end_line"]) == (1, 62)


def paths(desk: Desk, *args: str) -> set[str]:
    """Search for what settles; return the files of the hits."""
    return {hit["path"] for hit in desk.search("settle", *args)}


def empty_project(desk: Desk) -> str:
    """Make a project without documents; return its name."""
    nothing = desk.tree.parent / "nothing"
    nothing.mkdir()
    desk.ingest(nothing, "--project", f"{desk.project}_empty")
    return f"{desk.project}_empty"


def test_runs_are_listed_newest_first(desk: Desk) -> None:
    tenant = ("--tenant", desk.project)
    assert "no runs yet" in desk.run("runs", *tenant).stderr
    ids = [desk.ingest(desk.tree, *tenant)["run_id"] for _ in range(2)]
    listed = json.loads(desk.run("runs", *tenant, "--json").stdout)
    assert [run["run_id"] for run in listed] == ids[::-1]
    assert [(run["state"], run["documents"], run["failed"]) for run in listed] == [
        ("succeeded", 0, 0),
        ("succeeded", 3, 0),
    ]
    assert desk.run("runs", *tenant).stdout.splitlines()[0].startswith(ids[1])


def test_config_shows_every_setting_and_no_secret(desk: Desk) -> None:
    secrets = {"QDRANT_URL": "http://me:hidden-word@127.0.0.1:1", "OPENAI_API_KEY": "hidden-word"}
    shown = desk.run("config", extra=secrets).stdout
    as_json = json.loads(desk.run("config", "--json", extra=secrets).stdout)
    assert as_json["MOBIUS_PROJECT"] == desk.project
    assert as_json["OPENAI_API_KEY"] == "********"
    assert "hidden-word" not in shown + str(as_json)
    assert all(f"{name}=" in shown for name in as_json)
