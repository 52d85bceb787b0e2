"""See which versions of our dependencies are installed."""

from __future__ import annotations

from importlib import metadata

from worker.doctor.installation import Installed, pins_of

_NAME = "mobius-ingest"


def look() -> Installed:
    """Return which versions are asked for and which are there."""
    try:
        pins = pins_of(metadata.requires(_NAME) or ())
    except metadata.PackageNotFoundError:
        return Installed(None, {})
    return Installed(pins, {package: version for package in pins if (version := _version(package))})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
