"""Every refusal is an HTTP status and a message that names what was wrong with the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class ApiError(Exception):
    """The request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> ApiError:
    """Return the refusal of a request that is wrong in itself."""
    return ApiError(400, f"Wrong input: {message}")


def unsupported(what: str) -> ApiError:
    """Return the refusal of something that a Qdrant server does and this one does not."""
    return ApiError(400, f"Not supported by the local sidecar: {what}; use a Qdrant server for it")


def not_found(collection: str) -> ApiError:
    """Return the refusal for a collection or alias that does not exist."""
    return ApiError(404, f"Not found: Collection `{collection}` doesn't exist!")


def as_object(data: object, what: str) -> dict[str, Any]:
    """Return ``data`` as a JSON object.

    Raises:
        ApiError: It is something else.
    """
    if not isinstance(data, dict):
        raise invalid(f"{what} must be a JSON object")
    return data


def fields(data: object, what: str, known: Iterable[str]) -> dict[str, Any]:
    """Return a JSON object without its null members, once it is sure that each member is known.

    Raises:
        ApiError: It is no object, or it has a member that is not in ``known``.
    """
    present = {key: value for key, value in as_object(data, what).items() if value is not None}
    if unknown := sorted(set(present) - set(known)):
        raise unsupported(f"{', '.join(unknown)} in {what}")
    return present


def as_list(data: object, what: str) -> list[Any]:
    """Return ``data`` as a JSON array.

    Raises:
        ApiError: It is something else.
    """
    if not isinstance(data, list):
        raise invalid(f"{what} must be a JSON array")
    return data


def as_text(data: object, what: str) -> str:
    """Return ``data`` as a string that is not empty.

    Raises:
        ApiError: It is something else.
    """
    if not isinstance(data, str) or not data:
        raise invalid(f"{what} must be a non-empty string")
    return data


def as_size(data: object, what: str, *, least: int = 0) -> int:
    """Return ``data`` as an integer that is not below ``least``.

    Raises:
        ApiError: It is something else.
    """
    if not isinstance(data, int) or isinstance(data, bool) or data < least:
        raise invalid(f"{what} must be an integer, at least {least}")
    return data
