"""The one typed, frozen settings object, and the only reader of the environment.

Every field's description says what it means and its unit; ``mobius config`` prints them with their effective
values. All bad values are reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from pipeline.chunk_pack import Packing
from pipeline.errors import MisconfiguredError
from pipeline.policy import Policy
from pipeline.traits import Trait
from worker.secret_files import read_secret_files

#: Variables that carry the same name everywhere in the field, so they have no MOBIUS_ prefix.
_FOREIGN = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "qdrant_url": "QDRANT_URL",
    "qdrant_api_key": "QDRANT_API_KEY",
    "openai_api_key": "OPENAI_API_KEY",
    "openai_base_url": "OPENAI_BASE_URL",
}

#: Those may hold secrets, so each has a twin: NAME_FILE, the file that the value stands in.
FILE_VARIABLES = tuple(_FOREIGN.values())

_CHECKOUT = Path(__file__).resolve().parent.parent

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


def variable_of(field: str) -> str:
    """Return the environment variable that sets a field."""
    return _FOREIGN.get(field, f"MOBIUS_{field.upper()}")


def default_home() -> Path:
    """Return where the local stack keeps its state: inside the checkout, else in the user's state directory."""
    if (_CHECKOUT / "pyproject.toml").exists():
        return _CHECKOUT / ".mobius"
    return Path.home() / ".local" / "state" / "mobius"


def shown_default(text: str) -> dict[str, JsonValue]:
    """Return what documentation says instead of a default that depends on the machine; goes to json_schema_extra."""
    return {"default": text}


class BadSettings(MisconfiguredError):
    """The configuration is not usable. ``problems``: one line for every bad or unknown variable."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the configuration is not usable:\n" + "\n".join(f"  {line}" for line in problems))
        self.problems = tuple(problems)


class Settings(BaseModel):
    """Effective configuration. Unknown MOBIUS_ variables are refused, so that a misspelt one cannot be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr | None = Field(None, description="PostgreSQL with pgvector, postgresql://user:pw@host/db.")
    redis_url: SecretStr | None = Field(None, description="Redis for Celery's messages and results, redis://host:port.")
    qdrant_url: str | None = Field(None, description="Qdrant's REST address, http://host:port.")
    qdrant_api_key: SecretStr | None = Field(None, description="Qdrant's API key, where it asks for one.")
    home: Path = Field(
        default_factory=default_home,
        description="State of the embedded local stack (directory).",
        json_schema_extra=shown_default("`.mobius` in the checkout, else `~/.local/state/mobius`"),
    )

    embedder: Literal["lexical", "openai"] = Field(
        "lexical", description="lexical: local, nothing leaves the machine. openai: any OpenAI-compatible endpoint."
    )
    openai_api_key: SecretStr | None = Field(None, description="Key for the embedder openai; unused by lexical.")
    openai_base_url: str | None = Field(None, description="Base URL of an OpenAI-compatible endpoint; default OpenAI.")
    openai_model: str = Field("text-embedding-3-small", description="Embedding model's name at the endpoint.")
    openai_dims: PositiveInt = Field(1536, description="Dimensions of that model's vectors.")
    openai_timeout: PositiveFloat = Field(60.0, description="Seconds for one provider call.")
    openai_concurrency: PositiveInt = Field(4, description="Provider calls at once in one embed task.")
    openai_max_inputs: PositiveInt = Field(256, description="Texts per provider call at most.")
    openai_max_input_tokens: int = Field(
        8000, ge=256, description="Tokens that the model takes in one text; chunks are kept below it."
    )
    openai_rpm: int = Field(
        0, ge=0, description="Provider calls per minute at most, all processes and hosts together; 0 is no limit."
    )
    openai_tpm: int = Field(
        0, ge=0, description="Tokens per minute at most, all together; a call then has 1/20 of it at most. 0: no limit."
    )

    tenant: str = Field("default", min_length=1, description="Tenant used where none is named.")
    project: str = Field("default", min_length=1, description="Project used where none is named.")
    max_file_bytes: PositiveInt = Field(5 * 1024 * 1024, description="Larger files are skipped (bytes).")
    chunk_max_bytes: int = Field(2000, ge=64, description="Bytes of one chunk at most, without its header.")
    chunk_target_bytes: int | None = Field(
        None,
        ge=64,
        description="Bytes up to which small neighbours are joined.",
        json_schema_extra=shown_default("the most"),
    )
    chunk_packing: Packing = Field(
        Packing.BALANCED,
        description="How they are joined. balanced: edits change little. definition: a chunk each. greedy: fullest.",
    )
    skip_traits: str = Field(
        "lock,minified",
        description="Kinds of files to skip: generated, vendored, minified, lock, test, documentation; or `none`.",
    )
    delete_share: float = Field(0.5, ge=0, le=1, description="Share of a source that one walk may delete unasked.")
    slice_documents: PositiveInt = Field(64, description="Documents per slice at most.")
    slice_bytes: PositiveInt = Field(1024 * 1024, description="Bytes per slice at most; a larger document is alone.")

    search_mode: Literal["auto", "dense", "sparse", "hybrid"] = Field(
        "auto", description="How a search ranks. auto: hybrid with a real model, sparse with the embedder lexical."
    )

    lease_seconds: PositiveFloat = Field(20.0, description="A claim not extended for this long is taken over (s).")
    heartbeat_seconds: PositiveFloat = Field(5.0, description="How often a worker extends its claim (s).")
    sweep_seconds: PositiveFloat = Field(5.0, description="How often the dispatcher looks for lost work (s).")
    dispatch_timeout_seconds: PositiveFloat = Field(
        20.0, description="A slice sent but not started for this long is sent again (s)."
    )
    dispatch_window: PositiveInt = Field(8, description="Slices in flight at most: the backpressure.")
    max_attempts: PositiveInt = Field(5, description="Crashes of one slice's stage before it is split or given up.")
    process_memory_bytes: int = Field(
        2 * 1024**3,
        ge=0,
        description="Memory of its own that one worker process may have (bytes); what needs more fails. 0: no limit.",
    )
    retry_seconds: PositiveFloat = Field(5.0, description="Delay before a slice with transient trouble is retried (s).")
    cpu_time_limit: PositiveInt = Field(300, description="Hard limit for one parse or chunk task (s).")
    io_time_limit: PositiveInt = Field(600, description="Hard limit for one embed or upsert task (s).")

    reconcile_seconds: PositiveFloat = Field(900.0, description="How often ledger and index are compared (s).")
    reconcile_delete_share: float = Field(
        0.25, ge=0, le=1, description="Share of the points that a reconciliation may delete unasked."
    )
    reconcile_time_limit: PositiveInt = Field(3600, description="Hard limit for one reconciliation task (s).")

    cpu_concurrency: PositiveInt = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        description="Processes for parse and chunk.",
        json_schema_extra=shown_default("number of cores, at most 4"),
    )
    io_concurrency: PositiveInt = Field(2, description="Processes for embed and upsert.")
    pool_size: PositiveInt = Field(2, description="Database connections per worker process at most.")
    flower_port: int = Field(0, ge=0, le=65535, description="Flower's port in the local stack; 0 picks a free one.")
    api_host: str = Field("127.0.0.1", min_length=1, description="Where `mobius api` listens; 0.0.0.0 is everywhere.")
    api_port: int = Field(
        0, ge=0, le=65535, description="The API's port; 0 is a free one in the local stack and 8000 for `mobius api`."
    )
    api_upload_bytes: PositiveInt = Field(64 * 1024 * 1024, description="Bytes of one upload request at most.")
    api_upload_files: PositiveInt = Field(1_000, description="Files in one upload request at most.")
    flower_url: str | None = Field(
        None, description="Flower's address, http://host:port, for `mobius doctor`; the local stack's is known."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level to log.")
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for people.")
    liveness_file: Path | None = Field(
        None, description="Touched by dispatcher, worker and beat as long as they work; a health check reads its age."
    )

    @field_validator("skip_traits")
    @classmethod
    def _names_traits(cls, value: str) -> str:
        names = _names_in(value)
        known = [trait.value for trait in Trait]
        unknown = [name for name in names if name not in known]
        if (unknown or not names) and names != ["none"]:
            raise ValueError(f"{', '.join(unknown) or value}: name some of {', '.join(known)}, or only none")
        return ",".join(names)

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Settings:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("MOBIUS_HEARTBEAT_SECONDS must be at most half of MOBIUS_LEASE_SECONDS")
        if self.embedder == "openai" and self.openai_api_key is None:
            raise ValueError("MOBIUS_EMBEDDER=openai needs OPENAI_API_KEY (any value, for endpoints without keys)")
        if self.embedder == "openai":
            self._check_endpoint()
        if self.chunk_target_bytes is not None and self.chunk_target_bytes > self.chunk_max_bytes:
            raise ValueError("MOBIUS_CHUNK_TARGET_BYTES must be at most MOBIUS_CHUNK_MAX_BYTES")
        return self

    def _check_endpoint(self) -> None:
        """Refuse what no request can be made with: no document should have to show it. Nothing of a key is repeated."""
        key = self.openai_api_key.get_secret_value() if self.openai_api_key else ""
        if not _is_plain(key) or key != key.strip():
            raise ValueError(
                "OPENAI_API_KEY holds a character that no key has, or a space at one of its ends: copy it again"
            )
        if self.openai_base_url is not None and not _is_address(self.openai_base_url):
            raise ValueError(
                "OPENAI_BASE_URL is no address that can be called: give it the form http://host:port/v1 or https://host/v1"
            )

    @property
    def policy(self) -> Policy:
        """What is admitted as a document."""
        traits = frozenset(trait for trait in Trait if trait.value in _names_in(self.skip_traits))
        return Policy(max_file_bytes=self.max_file_bytes, skip_traits=traits)

    @property
    def broker_url(self) -> str:
        """Where messages go: REDIS_URL, database 0 unless it names one."""
        return with_database(self.require("redis_url"), 0)

    @property
    def result_url(self) -> str:
        """Where Celery keeps results: REDIS_URL, database 1 unless it names one."""
        return with_database(self.require("redis_url"), 1)

    def require(self, field: Literal["database_url", "redis_url", "qdrant_url"]) -> str:
        """Return the address of a service.

        Raises:
            MisconfiguredError: It is not set, and no local stack provides it.
        """
        value: SecretStr | str | None = getattr(self, field)
        if value is None:
            raise MisconfiguredError(
                f"{variable_of(field)} is not set and no local stack is running: start one with `mobius up`, or set "
                f"DATABASE_URL, REDIS_URL and QDRANT_URL to your own services."
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else value


def _names_in(value: str) -> list[str]:
    return [name for part in value.split(",") if (name := part.strip().lower())]


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port
    return is_whole and url.isprintable() and " " not in url


def with_database(redis_url: str, number: int) -> str:
    """Return the URL with a database number, unless it has one already."""
    parts = urlsplit(redis_url)
    return redis_url if parts.path.strip("/") else urlunsplit(parts._replace(path=f"/{number}"))


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the environment.

    Raises:
        BadSettings: One line for every bad or unknown variable.
    """
    environ, unusable_files = read_secret_files(os.environ if environ is None else environ, FILE_VARIABLES)
    known = {variable_of(field): field for field in Settings.model_fields}
    # MOBIUS_STACK_ variables are marks that the local stack leaves on its children.
    problems = [
        f"{name}: unknown variable; {_hint(name, known)}"
        for name in sorted(environ)
        if name.startswith("MOBIUS_") and not name.startswith("MOBIUS_STACK_") and name not in known
    ]
    problems += unusable_files
    # An empty value means "not set": Compose and CI pass variables on that way.
    values: dict[str, Any] = {field: environ[name] for name, field in known.items() if environ.get(name)}
    try:
        settings = Settings(**values)
    except ValidationError as exc:
        problems += [_describe(error) for error in exc.errors()]
    if problems:
        raise BadSettings(problems)
    return settings


def plain_environment() -> dict[str, str]:
    """Return the process's environment with values in place of the files that NAME_FILE names.

    Raises:
        BadSettings: One line for every file that cannot be used.
    """
    values, problems = read_secret_files(os.environ, FILE_VARIABLES)
    if problems:
        raise BadSettings(problems)
    return values


def _hint(name: str, known: Mapping[str, str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else "unset it, then `mobius config` lists the ones there are"


def _describe(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{variable_of(str(error['loc'][0]))}: {message}" if error["loc"] else message
