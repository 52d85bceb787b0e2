"""A file that is too large for one tree is parsed in windows, and nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.parse import parser
from pipeline.parse.languages import language_of
from pipeline.parse.parser import parse
from pipeline.types import Outline

CODE = "".join(f"# é {i}\n@d\ndef f{i}(a):\n    return [a,\n\n {i}]\nx = {i}; y = 1\n\n" for i in range(80))
STRINGS = "".join(f'def f{i}():\n    return """\n    {"word " * 30}\n    """\n\n' for i in range(40))


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever is above 1,200 bytes be parsed in windows of half of that."""
    monkeypatch.setattr(parser, "language_of", lambda name: replace(language_of(name), max_bytes=1_200))


def names(outline: Outline) -> list[str]:
    return [node.name for node in outline.nodes if node.name]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_file_in_windows_has_the_outline_it_has_in_one(newline: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = CODE.replace("\n", newline).encode()
    whole = parse(data, "python")
    monkeypatch.setattr(parser, "language_of", lambda name: replace(language_of(name), max_bytes=1_200))
    assert parse(data, "python") == whole
    assert len(names(whole)) == 80


def test_a_namespace_without_braces_goes_on_in_the_next_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ("namespace Shop;\n\n" + "".join(f"class C{i}\n{{\n    int x;\n}}\n\n" for i in range(80))).encode()
    whole = parse(data, "csharp")
    monkeypatch.setattr(parser, "language_of", lambda name: replace(language_of(name), max_bytes=1_200))
    assert parse(data, "csharp") == whole
    assert [node.name for node in whole.nodes if not node.depth] == ["Shop"]


@pytest.mark.usefixtures("windows")
def test_what_a_window_cuts_is_no_error() -> None:
    outline = parse(STRINGS.encode(), "python")
    assert not outline.has_error
    assert len(names(outline)) == 40


@pytest.mark.usefixtures("windows")
def test_an_error_in_a_window_is_one() -> None:
    outline = parse((STRINGS + "def f(:\n" + STRINGS).encode(), "python")
    assert outline.has_error
    assert len(names(outline)) >= 80


@pytest.mark.usefixtures("windows")
def test_behind_a_node_that_no_window_holds_there_is_no_outline() -> None:
    table = "t = [\n" + "    1,\n" * 400 + "]\n"
    outline = parse(f"def f():\n    pass\n\n\n{table}\n\ndef g():\n    pass\n".encode(), "python")
    assert names(outline) == ["f"]
    assert outline.has_error


@pytest.mark.usefixtures("windows")
def test_a_large_file_that_is_not_code_has_no_outline() -> None:
    outline = parse(b"Lorem ipsum, dolor; sit (amet] \n" * 400, "python")
    assert outline.has_error
    assert outline.nodes == ()


@pytest.mark.usefixtures("windows")
def test_windows_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_PARSE_SECONDS", -1.0)
    outline = parse(CODE.encode(), "python")
    assert outline.has_error
    assert outline.nodes == ()
