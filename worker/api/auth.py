"""Who asks: every endpoint but health is answered for the tenant of an API key, and for nobody else.

Keys are looked up for each request, so a revoked one is refused at once.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from models.keys import KeyOwner, key_hash, read_owner
from worker.api.errors import Unauthorized
from worker.api.services import ServicesOf

_BEARER = HTTPBearer(auto_error=False, scheme_name="Bearer", description="An API key; `mobius keys create` makes one.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey", description="The same key.")


async def _caller(
    request: Request,
    services: ServicesOf,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> KeyOwner:
    """Return whom the request's key stands for.

    Raises:
        Unauthorized: There is no key, no such key, or it was revoked.
    """
    secret = bearer.credentials if bearer else header
    if not secret:
        raise Unauthorized
    owner = await services.reader.read(read_owner, key_hash(secret))
    if owner is None:
        raise Unauthorized("this API key is unknown or was revoked; `mobius keys create` makes a new one.")
    request.state.tenant_id = str(owner.tenant_id)
    return owner


Caller = Annotated[KeyOwner, Depends(_caller)]
