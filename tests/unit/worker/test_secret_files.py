"""A secret may stand in a file instead of the environment; a file that cannot be meant is refused, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.errors import MisconfiguredError
from worker.cli import environment
from worker.settings import FILE_VARIABLES, Settings, load_settings, plain_environment, variable_of

URL = "postgresql://mobius:hunter2@postgres:5432/mobius"


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(**environ: str) -> str:
    with pytest.raises(MisconfiguredError) as caught:
        load_settings(environ)
    return str(caught.value)


def test_every_secret_may_stand_in_a_file() -> None:
    secrets = [variable_of(name) for name, field in Settings.model_fields.items() if "SecretStr" in repr(field)]
    assert set(secrets) <= set(FILE_VARIABLES)
    assert len(secrets) >= 4


@pytest.mark.parametrize("name", FILE_VARIABLES)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_gives_its_line_without_the_line_end(tmp_path: Path, name: str, ending: str) -> None:
    settings = load_settings({f"{name}_FILE": written(tmp_path / "secret", f" {URL} {ending}")})
    value = next(getattr(settings, field) for field in Settings.model_fields if variable_of(field) == name)
    assert (value.get_secret_value() if isinstance(value, SecretStr) else value) == f" {URL} "


def test_a_variable_that_names_no_file_is_one_that_is_not_set() -> None:
    assert load_settings({f"{name}_FILE": "" for name in FILE_VARIABLES}) == load_settings({})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        ("\n", "it is empty"),
        (f"DATABASE_URL={URL}\nREDIS_URL=x\n", "it holds more than the value"),
        (f"{URL}\0", "it holds more than the value"),
        (b"\xffhunter2", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_single_value_is_refused_unshown(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    message = refusal(DATABASE_URL_FILE=written(tmp_path / "secret", content))
    assert f"DATABASE_URL_FILE: {tmp_path / 'secret'} is not usable: {reason}" in message
    assert "hunter2" not in message


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    message = refusal(DATABASE_URL_FILE=str(tmp_path / "none"), REDIS_URL_FILE=str(tmp_path))
    assert f"DATABASE_URL_FILE: {tmp_path / 'none'} is not usable: No such file or directory" in message
    assert f"REDIS_URL_FILE: {tmp_path} is not usable: Is a directory" in message


def test_a_value_and_a_file_for_it_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "secret", URL)
    message = refusal(DATABASE_URL="postgresql://other", DATABASE_URL_FILE=path)
    assert "DATABASE_URL and DATABASE_URL_FILE are both set: unset one of them" in message
    load_settings({"DATABASE_URL": "", "DATABASE_URL_FILE": path})


def test_a_bad_file_is_said_beside_everything_else_that_is_wrong(tmp_path: Path) -> None:
    message = refusal(DATABASE_URL_FILE=str(tmp_path / "none"), MOBIUS_POOL_SIZE="0", MOBIUS_DEBUG="1")
    assert all(name in message for name in ("DATABASE_URL_FILE", "MOBIUS_POOL_SIZE", "MOBIUS_DEBUG"))


def test_a_setting_that_can_hold_no_secret_has_no_file() -> None:
    assert "MOBIUS_TENANT_FILE: unknown variable" in refusal(MOBIUS_TENANT_FILE="/run/tenant")


def test_a_file_is_not_overruled_by_the_running_local_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = {"DATABASE_URL": "postgresql://local", "REDIS_URL": "redis://local"}
    monkeypatch.setattr(environment, "service_environment", lambda _home: running)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", written(tmp_path / "secret", URL))
    settings = load_settings(environment.effective_environment())
    assert (settings.require("database_url"), settings.require("redis_url")) == (URL, "redis://local")


def test_what_the_local_stack_passes_on_holds_values_in_place_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", written(tmp_path / "secret", URL))
    passed_on = plain_environment()
    assert passed_on["DATABASE_URL"] == URL
    assert "DATABASE_URL_FILE" not in passed_on
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(MisconfiguredError, match=r"DATABASE_URL_FILE: .* No such file"):
        plain_environment()
