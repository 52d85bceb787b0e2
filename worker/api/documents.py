"""Documents: take uploaded ones in, and say where one is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from models.keys import KeyOwner
from models.views import read_whereabouts
from pipeline.report import Whereabouts
from worker.api import examples
from worker.api.auth import Caller
from worker.api.errors import NotFound, Overloaded, TooSlow
from worker.api.intake import take_in
from worker.api.schemas import ProjectPath, UploadAccepted, described
from worker.api.services import ApiServices, ServicesOf
from worker.api.uploads import UploadLimits, receive

router = APIRouter(prefix="/api/v1", tags=["documents"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "The files. A file's name is its path in the source.",
                        },
                        "paths": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "Their paths instead of their names: one for each file, in the same order.",
                        },
                        "source": {
                            "type": "string",
                            "default": "upload",
                            "description": "The source that they belong to; made where it is new.",
                        },
                        "priority": {"type": "string", "enum": ["high", "normal", "low"], "default": "normal"},
                    },
                },
                "example": {"files": ["(content)"], "paths": ["src/basket.py"], "source": "upload"},
            }
        },
    }
}


@router.post(
    "/projects/{p}/documents",
    status_code=202,
    summary="Upload files",
    responses=described(examples.UPLOAD_ACCEPTED, 400, 401, 409, 413, 415, 422, 503, 504, success=202),
    openapi_extra=_BODY,
)
async def upload_documents(
    caller: Caller, services: ServicesOf, project: ProjectPath, request: Request, response: Response
) -> UploadAccepted:
    """New and changed files are committed before this answers, and indexed soon after; `Location` names their run.

    Files that were not sent stay as they are. The same bytes again change nothing, so a request whose reply was lost
    can be sent again. Files that look like secrets, that are binary or too large are skipped, each with a reason.
    """
    async with services.upload_turn():
        taken = await _take_in(caller, services, project, request)
    response.headers["Location"] = f"/api/v1/runs/{taken.run_id}"
    return taken


async def _take_in(caller: KeyOwner, services: ApiServices, project: str, request: Request) -> UploadAccepted:
    settings = services.settings
    upload = await receive(request, UploadLimits(settings.api_upload_bytes, settings.api_upload_files))
    try:
        return await services.planners.run(take_in, services, caller.tenant, project, upload)
    except Overloaded:
        upload.close()
        raise
    except TooSlow as exc:
        raise TooSlow("the files are still being taken in; GET /api/v1/runs shows their run.") from exc


@router.get(
    "/documents/{document_id}",
    summary="Say where a document is",
    responses=described(examples.DOCUMENT, 401, 404, 422, 503),
)
async def report_document(caller: Caller, services: ServicesOf, document_id: UUID) -> Whereabouts:
    """Its state, how many chunks of it are committed, who works on it, what went wrong and what happens next."""
    found = await services.reader.read(read_whereabouts, caller.tenant_id, [document_id])
    if not found:
        raise NotFound(f"there is no document {document_id} in the tenant of this key.")
    return found[0]
