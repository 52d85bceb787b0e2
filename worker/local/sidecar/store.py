"""All collections and aliases under one data directory, which one process at a time may open.

A collection is built in the staging directory and renamed into place, and it is renamed out of place before it is
removed: whatever a crash leaves is either complete or in staging, which is emptied at every start.

::

    sidecar.lock              held while the directory is open
    aliases.json              alias -> collection
    collections/<name>/       complete collections
    staging/                  what is being built or removed
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from pathlib import Path
from uuid import uuid4

import orjson

from worker.local.sidecar.collection import Collection
from worker.local.sidecar.errors import ApiError, invalid, not_found
from worker.local.sidecar.layout import Layout

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class DataDirectoryError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


class Store:
    """The open data directory."""

    def __init__(self, directory: Path) -> None:
        """Open the directory, clear what a crash left half-done and load every collection.

        Raises:
            DataDirectoryError: Another process has it open, or a collection in it cannot be loaded.
        """
        self._collections_directory = directory / "collections"
        self._staging = directory / "staging"
        self._aliases_file = directory / "aliases.json"
        self._changing = threading.RLock()
        self._collections: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(directory / "sidecar.lock")
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir()
        self._collections_directory.mkdir(exist_ok=True)
        self._load()

    def _load(self) -> None:
        for directory in sorted(self._collections_directory.iterdir()):
            if not Collection.is_complete(directory):
                shutil.rmtree(directory)
                continue
            try:
                self._collections[directory.name] = Collection.load(directory)
            except Exception as exc:  # the engine raises nothing more specific than Exception
                self.close()
                raise DataDirectoryError(
                    f"cannot open {directory} ({exc}); move it away and let the reconciliation fill a new one"
                ) from exc
        if self._aliases_file.exists():
            aliases: dict[str, str] = orjson.loads(self._aliases_file.read_bytes())
            self._aliases = {alias: name for alias, name in aliases.items() if name in self._collections}

    def names(self) -> list[str]:
        """Return the names of all collections."""
        return sorted(self._collections)

    def aliases(self) -> dict[str, str]:
        """Return every alias with the collection that it stands for."""
        return dict(self._aliases)

    def find(self, name: str) -> Collection:
        """Return the collection of this name or alias.

        Raises:
            ApiError: There is none (404).
        """
        found = self._collections.get(self._aliases.get(name, name))
        if found is None:
            raise not_found(name)
        return found

    def create(self, name: str, layout: Layout) -> None:
        """Create an empty collection.

        Raises:
            ApiError: The name is taken (409) or malformed.
        """
        if not _NAME.fullmatch(name):
            raise invalid(f"collection name {name!r} may only hold letters, digits, '_', '-' and '.'")
        with self._changing:
            if name in self._collections or name in self._aliases:
                raise ApiError(409, f"Wrong input: Collection `{name}` already exists!")
            staged = self._staging / str(uuid4())
            Collection.prepare(staged, layout)
            place = self._collections_directory / name
            staged.rename(place)
            self._collections[name] = Collection.load(place)

    def drop(self, name: str) -> bool:
        """Delete a collection and its aliases. False: there was none. An alias is no collection's name here."""
        with self._changing:
            if name not in self._collections:
                return False
            self._save_aliases({alias: target for alias, target in self._aliases.items() if target != name})
            # Closed before it is renamed: the engine writes to the path that it was opened at.
            self._collections.pop(name).close()
            staged = self._staging / str(uuid4())
            (self._collections_directory / name).rename(staged)
        shutil.rmtree(staged, ignore_errors=True)
        return True

    def change_aliases(self, changes: list[tuple[str, str | None]]) -> None:
        """Point each alias to a collection, or remove it where that is None; all of them or none.

        Raises:
            ApiError: A collection does not exist (404), or an alias has a collection's name (409).
        """
        with self._changing:
            aliases = dict(self._aliases)
            for alias, target in changes:
                if alias in self._collections:
                    raise ApiError(409, f"Wrong input: Collection `{alias}` already exists!")
                if target is None:
                    aliases.pop(alias, None)
                elif target in self._collections:
                    aliases[alias] = target
                else:
                    raise not_found(target)
            self._save_aliases(aliases)

    def _save_aliases(self, aliases: dict[str, str]) -> None:
        staged = self._staging / str(uuid4())
        staged.write_bytes(orjson.dumps(aliases))
        staged.replace(self._aliases_file)
        self._aliases = aliases

    def flush(self) -> None:
        """Bring the logs of all collections into their segments."""
        for collection in list(self._collections.values()):
            collection.flush()

    def close(self) -> None:
        """Close every collection and let go of the directory; safe to call twice."""
        for collection in list(self._collections.values()):
            collection.close()
        self._collections = {}
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataDirectoryError(f"{path.parent} is open in another sidecar; stop that one first") from None
    return descriptor
