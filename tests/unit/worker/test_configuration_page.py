"""The page of settings says what the settings object says, on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr

from worker import configuration_page
from worker.configuration_page import PARTS, page
from worker.settings import PositiveFloat, Settings, variable_of

ROOT = Path(__file__).resolve().parents[3]


def row(variable: str) -> list[str]:
    (line,) = (line for line in page().splitlines() if line.startswith(f"| `{variable}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_committed_page_is_current() -> None:
    committed = (ROOT / "docs" / "configuration.md").read_text()
    assert committed == page(), "docs/configuration.md is out of date: run `make docs`"


@pytest.mark.parametrize("field", list(Settings.model_fields))
def test_every_setting_has_its_row_and_its_meaning(field: str) -> None:
    assert row(variable_of(field))[3] == (Settings.model_fields[field].description or "missing").replace("|", "&#124;")


@pytest.mark.parametrize(
    ("variable", "values", "default"),
    [
        ("DATABASE_URL", "text, secret", ""),
        ("MOBIUS_EMBEDDER", "`lexical`, `openai`", "`lexical`"),
        ("MOBIUS_DELETE_SHARE", "number, from 0, to 1", "`0.5`"),
        ("MOBIUS_SLICE_DOCUMENTS", "integer, above 0", "`64`"),
        ("MOBIUS_TENANT", "text, length from 1", "`default`"),
        ("MOBIUS_CPU_CONCURRENCY", "integer, above 0", "number of cores, at most 4"),
        ("MOBIUS_HOME", "path", "`.mobius` in the checkout, else `~/.local/state/mobius`"),
    ],
)
def test_a_row_says_what_values_there_are_and_the_default(variable: str, values: str, default: str) -> None:
    assert row(variable)[1:3] == [values, default]


def test_nothing_on_it_depends_on_the_machine() -> None:
    assert str(ROOT) not in page()
    assert str(Path.home() / ".local") not in page()


def test_every_part_begins_with_a_setting_and_the_first_setting_begins_a_part() -> None:
    assert PARTS.keys() <= Settings.model_fields.keys()
    assert next(iter(Settings.model_fields)) in PARTS


class Awkward(BaseModel):
    """Forms of settings that there may be one day."""

    password: SecretStr = Field(SecretStr("hunter2"), description="A secret with a default.")
    pace: PositiveFloat | None = Field(None, description="Either|or.")


class Nameless(BaseModel):
    """A default that nobody can look up."""

    names: list[str] = Field(default_factory=list, description="Computed.")


def test_a_computed_default_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_page, "Settings", Nameless)
    with pytest.raises(ValueError, match=r"names: its default is computed; name it"):
        page()


def test_a_secret_default_stays_secret_and_a_bar_does_not_break_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_page, "Settings", Awkward)
    assert "hunter2" not in page()
    assert "| `MOBIUS_PACE` | number, above 0 |  | Either&#124;or. |" in page()
