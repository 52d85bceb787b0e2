"""Keep secrets out of a diagnosis, even where a server or a library repeats one in its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from worker.doctor.findings import Finding
from worker.settings import Settings, variable_of

_HIDDEN = "***"
#: Shorter ones are found in ordinary words; some endpoints want any key at all, and get one letter.
_SHORTEST = 4


def secrets_of(settings: Settings) -> set[str]:
    """Return the secrets in the settings: keys, and the passwords in addresses, as they stand there and decoded."""
    values = (getattr(settings, field) for field in Settings.model_fields)
    return _long_enough(
        secret
        for value in values
        for secret in (
            _secrets_in(value.get_secret_value()) if isinstance(value, SecretStr) else _passwords_in(str(value))
        )
    )


def secrets_within(environ: Mapping[str, str]) -> set[str]:
    """Return the same of an environment whose settings are not usable."""
    return _long_enough(
        secret
        for field, info in Settings.model_fields.items()
        if (value := environ.get(variable_of(field)))
        for secret in (_secrets_in(value) if "SecretStr" in str(info.annotation) else _passwords_in(value))
    )


def without_secrets(findings: Iterable[Finding], secrets: Iterable[str]) -> list[Finding]:
    """Return the findings with the secrets in what was found hidden; advice is in words of ours alone."""
    # A long one may contain a short one.
    ordered = sorted(secrets, key=len, reverse=True)

    def hidden(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, _HIDDEN)
        return text

    return [replace(finding, found=hidden(finding.found)) for finding in findings]


def _secrets_in(value: str) -> Iterator[str]:
    if "://" in value:
        yield from _passwords_in(value)
    else:
        yield value


def _passwords_in(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    _, _, password = parts.netloc.rpartition("@")[0].partition(":")
    yield from (password, unquote(password), parts.query)


def _long_enough(secrets: Iterable[str]) -> set[str]:
    return {secret for secret in secrets if len(secret) >= _SHORTEST}
