"""What the repository's home runs is valid, is what the Makefile offers, and covers what the package promises."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

ROOT = Path(__file__).resolve().parents[2]
Document = dict[str, Any]


def workflow() -> Document:
    document: Document = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    # YAML 1.1 reads the key `on` as true; GitHub does not.
    document["on"] = document.pop(True)
    return document


def steps(document: Document) -> list[Document]:
    return [step for job in document["jobs"].values() for step in job["steps"]]


def faults(document: Document) -> list[str]:
    """Return what is wrong with the workflow."""
    schema = get_builtin_schema("vendor.github-workflows")
    found = [error.message for error in validator_for(schema)(schema).iter_errors(document)]
    if document.get("permissions") != {"contents": "read"} or any(
        "permissions" in j for j in document["jobs"].values()
    ):
        found.append("permissions beyond reading")
    found += [f"{name}: no time limit" for name, job in document["jobs"].items() if "timeout-minutes" not in job]
    found += [f"{step['uses']} is not pinned" for step in steps(document) if not _is_pinned(step.get("uses", "x@v1"))]
    for target in re.findall(r"^make ([a-z-]+)", _scripts(document), re.MULTILINE):
        if not re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE):
            found.append(f"make {target}: no such target")
    for script in re.findall(r"^(deploy/\S+)", _scripts(document), re.MULTILINE):
        if not (ROOT / script).is_file() or not (ROOT / script).stat().st_mode & 0o111:
            found.append(f"{script} cannot be run")
    return found


def _is_pinned(action: str) -> bool:
    return bool(re.fullmatch(r"[\w/-]+@(v\d+|[0-9a-f]{40})", action))


def _scripts(document: Document) -> str:
    return "\n".join(step.get("run", "") for step in steps(document))


def test_the_workflow_is_sound() -> None:
    assert faults(workflow()) == []


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda w: w["jobs"]["lint"].update(runson="x"), "runson|not valid"),
        (lambda w: w.update(permissions="write-all"), "permissions"),
        (lambda w: w["jobs"]["image"].update(permissions={"packages": "write"}), "permissions"),
        (lambda w: w["jobs"]["test"].pop("timeout-minutes"), "test: no time limit"),
        (lambda w: w["jobs"]["lint"]["steps"][0].update(uses="actions/checkout@main"), "is not pinned"),
        (lambda w: w["jobs"]["lint"]["steps"][2].update(run="make lints"), "make lints: no such target"),
        (lambda w: w["jobs"]["image"]["steps"][-1].update(run="deploy/gone.sh"), "deploy/gone.sh cannot be run"),
    ],
)
def test_an_unsound_workflow_is_noticed(breaks: Callable[[Document], object], said: str) -> None:
    document = copy.deepcopy(workflow())
    breaks(document)
    assert any(re.search(said, fault) for fault in faults(document))


def test_every_python_that_the_package_promises_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    assert workflow()["jobs"]["test"]["strategy"]["matrix"]["python"] == promised


def test_the_workflow_lints_tests_builds_and_tries_the_image() -> None:
    scripts = _scripts(workflow())
    wanted = ("make lint", "make test", "docker compose build", "docker compose up", "deploy/smoke.sh")
    assert [command for command in wanted if command not in scripts] == []


# --- pre-commit


def hooks() -> list[Document]:
    document = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in document["repos"]] == ["local"]
    found: list[Document] = document["repos"][0]["hooks"]
    return found


def test_hooks_are_complete_and_have_names_of_their_own() -> None:
    assert all({"id", "name", "entry", "language"} <= set(hook) for hook in hooks())
    assert all(hook["language"] in {"system", "pygrep"} for hook in hooks())
    assert all("types" in hook or "files" in hook for hook in hooks())
    assert len({hook["id"] for hook in hooks()}) == len(hooks())


def test_hooks_run_the_tools_of_the_lock_and_nothing_is_fetched() -> None:
    programs = [hook["entry"].split()[0] for hook in hooks() if hook["language"] == "system"]
    brought = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter", "check-jsonschema": "check-jsonschema"}
    for program in programs:
        assert program.startswith(".venv/bin/")
        name = program.removeprefix(".venv/bin/")
        assert name == "python" or distribution(brought[name])


def test_hooks_check_all_that_make_lint_checks() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    commands = re.findall(r"\$\(BIN\)/(.*)", recipe[1])
    assert len(commands) == 5
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in hooks()]
    for command in commands:
        words = [word for word in command.split() if word not in {".", "--quiet"}]
        assert any(set(words) <= set(entry.split()) for entry in entries), command


@pytest.mark.parametrize(
    ("hook", "bad", "good"),
    [
        ("conflicts", "<<<<<<< HEAD", "a <<<<<<< b"),
        ("trailing-space", "x = 1 ", "x = 1"),
        ("private-keys", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"),
    ],
)
def test_a_pattern_finds_what_it_is_for(hook: str, bad: str, good: str) -> None:
    pattern = next(found["entry"] for found in hooks() if found["id"] == hook)
    assert re.search(pattern, bad)
    assert not re.search(pattern, good)
