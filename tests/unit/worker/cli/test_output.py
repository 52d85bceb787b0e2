"""Nothing that is printed breaks its line, its JSON or the stream's encoding."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from worker.cli.output import never_fail_on_a_character, print_json, printable


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("src/plain file.py", "src/plain file.py"),
        ("grüße/日本.py", "grüße/日本.py"),
        ("two\nlines\tand a\rreturn", "two\\nlines\\tand a\\rreturn"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("half \udcff of it", "half \\udcff of it"),
        ("right\u202eleft", "right\\u202eleft"),
        ("a:smile:[bold].py", "a:smile:[bold].py"),
    ],
)
def test_a_path_stays_on_its_line_and_shows_what_it_is(path: str, shown: str) -> None:
    assert printable(path) == shown


@dataclass(frozen=True, slots=True)
class Value:
    """Something to print."""

    id: UUID
    at: datetime
    text: str


VALUE = Value(UUID(int=1), datetime(2030, 1, 2, tzinfo=UTC), "größe \udcff\n")


def test_values_print_as_json_objects(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([replace(VALUE, text="größe")])
    assert json.loads(capsys.readouterr().out) == [
        {"id": str(VALUE.id), "at": "2030-01-02T00:00:00+00:00", "text": "größe"}
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_valid_whatever_the_stream_can_carry(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    never_fail_on_a_character()
    print_json(VALUE)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding))["text"] == VALUE.text


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        print_json(object())
