"""Show what the settings are, and no secret: what ``mobius config`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from worker.local.urls import masked
from worker.settings import Settings, variable_of


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """The variable of a setting, its value as it may be shown (None: not set), and what it means."""

    variable: str
    value: str | None
    description: str


def shown_settings(settings: Settings) -> list[ShownSetting]:
    """Return every setting, secrets masked."""
    return [
        ShownSetting(variable_of(field), _shown(settings, field), info.description or "")
        for field, info in Settings.model_fields.items()
    ]


def _shown(settings: Settings, field: str) -> str | None:
    value = getattr(settings, field)
    if isinstance(value, SecretStr):
        return "********"
    return None if value is None else masked(str(value)) if field.endswith("_url") else str(value)
