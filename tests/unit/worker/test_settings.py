"""The environment is read once, in one place, as a whole: everything wrong with it is said at once, secrets never."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import MisconfiguredError
from worker.settings import Settings, load_settings, variable_of, with_database

ROOT = Path(__file__).resolve().parents[3]
SECRETS = ("DATABASE_URL", "REDIS_URL", "QDRANT_API_KEY", "OPENAI_API_KEY")


def refusal(**environ: str) -> str:
    with pytest.raises(MisconfiguredError) as caught:
        load_settings(environ)
    return str(caught.value)


# --- reading


def test_nothing_set_means_local_and_nothing_leaves_the_machine() -> None:
    settings = load_settings({})
    assert settings.embedder == "lexical"
    assert (settings.database_url, settings.redis_url, settings.qdrant_url) == (None, None, None)


def test_a_key_in_the_environment_alone_sends_nothing() -> None:
    assert load_settings({"OPENAI_API_KEY": "key"}).embedder == "lexical"


def test_every_setting_is_read_from_its_variable() -> None:
    environ = {
        "DATABASE_URL": "postgresql://db",
        "REDIS_URL": "redis://broker",
        "QDRANT_URL": "http://qdrant",
        "MOBIUS_HOME": "/somewhere",
        "MOBIUS_LEASE_SECONDS": "2.5",
        "MOBIUS_HEARTBEAT_SECONDS": "1",
        "MOBIUS_SLICE_DOCUMENTS": "3",
        "MOBIUS_LOG_FORMAT": "console",
    }
    settings = load_settings(environ)
    assert settings.require("database_url") == "postgresql://db"
    assert settings.require("redis_url") == "redis://broker"
    assert settings.require("qdrant_url") == "http://qdrant"
    assert settings.home == Path("/somewhere")
    assert (settings.lease_seconds, settings.slice_documents, settings.log_format) == (2.5, 3, "console")


@pytest.mark.parametrize(
    ("value", "traits"),
    [
        ("", {"lock", "minified"}),
        ("none", set()),
        ("test", {"test"}),
        (" Generated , vendored,lock", {"generated", "vendored", "lock"}),
    ],
)
def test_settings_say_what_is_admitted(value: str, traits: set[str]) -> None:
    policy = load_settings({"MOBIUS_SKIP_TRAITS": value, "MOBIUS_MAX_FILE_BYTES": "7"}).policy
    assert (policy.skip_traits, policy.max_file_bytes) == (traits, 7)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    names = [variable_of(field) for field in Settings.model_fields]
    assert load_settings(dict.fromkeys(names, "")) == load_settings({})


def test_variables_of_others_are_none_of_our_business() -> None:
    assert load_settings({"PATH": "/bin", "LEASE_SECONDS": "x", "CELERY_BROKER_URL": "x"}) == load_settings({})


def test_marks_of_the_local_stack_are_no_settings() -> None:
    assert load_settings({"MOBIUS_STACK_ID": "7"}) == load_settings({})


def test_every_setting_says_what_it_means_and_no_two_share_a_variable() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert undescribed == []
    assert len({variable_of(field) for field in Settings.model_fields}) == len(Settings.model_fields)


# --- refusing


def test_everything_that_is_wrong_is_said_at_once() -> None:
    message = refusal(
        MOBIUS_LEASE_SECONDS="soon",
        MOBIUS_POOL_SIZE="0",
        MOBIUS_DELETE_SHARE="1.5",
        MOBIUS_EMBEDDER="magic",
        MOBIUS_LEASE_SECOND="20",
        MOBIUS_DEBUG="1",
    )
    lines = message.splitlines()
    assert lines[0] == "the configuration is not usable:"
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["MOBIUS_DEBUG", "MOBIUS_LEASE_SECOND"]
    assert sorted(line.split(":")[0].strip() for line in lines[3:]) == [
        "MOBIUS_DELETE_SHARE",
        "MOBIUS_EMBEDDER",
        "MOBIUS_LEASE_SECONDS",
        "MOBIUS_POOL_SIZE",
    ]


def test_a_misspelt_variable_is_refused_with_a_hint() -> None:
    said = refusal(MOBIUS_LEASE_SECOND="20")
    assert "MOBIUS_LEASE_SECOND: unknown variable; did you mean MOBIUS_LEASE_SECONDS?" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBIUS_LEASE_SECONDS", "0"),
        ("MOBIUS_LEASE_SECONDS", "-1"),
        ("MOBIUS_DISPATCH_WINDOW", "0"),
        ("MOBIUS_MAX_ATTEMPTS", "0"),
        ("MOBIUS_SLICE_BYTES", "1.5"),
        ("MOBIUS_DELETE_SHARE", "-0.1"),
        ("MOBIUS_FLOWER_PORT", "65536"),
        ("MOBIUS_LOG_LEVEL", "loud"),
        ("MOBIUS_SKIP_TRAITS", "lock,minify"),
        ("MOBIUS_SKIP_TRAITS", "none,lock"),
        ("MOBIUS_SKIP_TRAITS", ","),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: str) -> None:
    assert f"  {name}: " in refusal(**{name: value})


def test_a_heartbeat_that_could_miss_its_lease_is_refused() -> None:
    message = refusal(MOBIUS_LEASE_SECONDS="3", MOBIUS_HEARTBEAT_SECONDS="2")
    assert "MOBIUS_HEARTBEAT_SECONDS must be at most half of MOBIUS_LEASE_SECONDS" in message
    load_settings({"MOBIUS_LEASE_SECONDS": "3", "MOBIUS_HEARTBEAT_SECONDS": "1.5"})


def test_a_provider_without_a_key_is_refused() -> None:
    assert "MOBIUS_EMBEDDER=openai needs OPENAI_API_KEY" in refusal(MOBIUS_EMBEDDER="openai")
    load_settings({"MOBIUS_EMBEDDER": "openai", "OPENAI_API_KEY": "key"})


@pytest.mark.parametrize("key", ["s3crét", "s3cret\n", " s3cret", "s3cret ", "s3\0cret", "“s3cret”", "s3cret\udce9"])
def test_a_key_that_no_request_can_carry_is_refused_and_not_shown(key: str) -> None:
    message = refusal(MOBIUS_EMBEDDER="openai", OPENAI_API_KEY=key)
    assert "OPENAI_API_KEY holds a character that no key has" in message
    assert "s3c" not in message
    load_settings({"OPENAI_API_KEY": key})  # nobody is going to send it


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:abc/v1",
        "localhost:8080/v1",
        "http://localhost:99999",
        "http:///v1",
        "ftp://host",
        "http://[::1",
        "http://a b/v1",
        "http://host\n/v1",
        "http://host:0/v1",
        "v1",
    ],
)
def test_an_address_of_a_provider_that_cannot_be_called_is_refused(url: str) -> None:
    environ = {"MOBIUS_EMBEDDER": "openai", "OPENAI_API_KEY": "any value", "OPENAI_BASE_URL": url}
    assert "OPENAI_BASE_URL is no address that can be called: give it the form" in refusal(**environ)
    load_settings({"OPENAI_BASE_URL": url})


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434/v1", "https://api.example.com/v1/", "http://[::1]:8080/v1"])
def test_an_address_of_a_provider_is_taken_as_it_is(url: str) -> None:
    environ = {"MOBIUS_EMBEDDER": "openai", "OPENAI_API_KEY": "any value", "OPENAI_BASE_URL": url}
    assert load_settings(environ).openai_base_url == url


@pytest.mark.parametrize(
    ("field", "variable"),
    [("database_url", "DATABASE_URL"), ("redis_url", "REDIS_URL"), ("qdrant_url", "QDRANT_URL")],
)
def test_a_missing_address_says_what_to_do(field: str, variable: str) -> None:
    with pytest.raises(MisconfiguredError, match=rf"{variable} is not set .* `mobius up`"):
        load_settings({}).require(field)


# --- secrets


def test_secrets_are_in_no_representation() -> None:
    settings = load_settings(dict.fromkeys(SECRETS, "postgresql://u:hunter2@h/d"))
    for shown in (repr(settings), str(settings), json.dumps(settings.model_dump(mode="json")), repr(vars(settings))):
        assert "hunter2" not in shown


def test_secrets_are_in_no_complaint() -> None:
    message = refusal(**dict.fromkeys(SECRETS, "hunter2"), MOBIUS_POOL_SIZE="hunter3", MOBIUS_WHAT="hunter2")
    assert "hunter2" not in message


# --- the object


def test_settings_are_frozen() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.pool_size = 99


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1", "redis://h:1/5"),
        ("redis://h:1/", "redis://h:1/5"),
        ("redis://h:1/3", "redis://h:1/3"),
        ("rediss://u:p@h:1?ssl_cert_reqs=required", "rediss://u:p@h:1/5?ssl_cert_reqs=required"),
    ],
)
def test_a_redis_url_gets_a_database_unless_it_names_one(url: str, expected: str) -> None:
    assert with_database(url, 5) == expected


# --- the only reader

#: Who else looks at the environment, and why that is no reading of configuration.
READERS = {
    "worker/settings.py": "the reader",
    "worker/cli/environment.py": "puts the running local stack's addresses beside it before the reader reads it",
    "worker/local/children.py": "passes it on to the children",
    "worker/local/postgres_init.py": "passes the stack's marks on to a child that gets nothing else of it",
}


def looks_at_the_environment(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.environb", "os.getenv"}:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return any(name.name in {"environ", "environb", "getenv"} for name in node.names)
    return False


def test_nobody_else_reads_the_environment() -> None:
    packages = ("pipeline", "models", "tasks", "migrations", "worker")
    sources = [path for name in packages for path in (ROOT / name).rglob("*.py")] + list(ROOT.glob("*.py"))
    found = {str(path.relative_to(ROOT)) for path in sources if looks_at_the_environment(path)}
    assert found == set(READERS)
