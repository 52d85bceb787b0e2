"""The examples of the API's documentation. A test holds each against the schema of its reply."""

from __future__ import annotations

from typing import Any

_RUN_ID = "0b6f3a52-1c1e-4a57-9a44-0d6a1a1b9a10"
_SLICE_ID = "5a1f0d7e-8a52-4c0e-8f6a-7c1d2f6f5f10"
_DOCUMENT_ID = "3f0c9f5e-5d2a-5f6e-9b59-0d1c0a4a2b77"
_NEXT = "WyIyMDI2LTExLTIxVDA5OjMwOjAwKzAwOjAwIiwgIjBiNmYzYTUyIl0"
_STARTED = "2026-11-21T09:30:00.104200Z"
_FINISHED = "2026-11-21T09:30:01.877000Z"

UPLOAD_ACCEPTED: dict[str, Any] = {
    "run_id": _RUN_ID,
    "project": "shop",
    "source": "upload",
    "accepted": 2,
    "unchanged": 1,
    "skipped": [
        {
            "path": ".env",
            "reason": "secret",
            "message": "It looks like a secret and is never ingested; rename it if it holds none. (.env)",
        }
    ],
}

RUNS: dict[str, Any] = {
    "items": [
        {
            "run_id": _RUN_ID,
            "project": "shop",
            "source": "upload",
            "state": "succeeded",
            "documents": 2,
            "failed": 0,
            "started_at": _STARTED,
        }
    ],
    "next": _NEXT,
}

RUN: dict[str, Any] = {
    "run_id": _RUN_ID,
    "project": "shop",
    "source": "upload",
    "state": "failed",
    "documents": {
        "seen": 4,
        "new": 2,
        "changed": 0,
        "unchanged": 1,
        "skipped": 1,
        "deleted": 0,
        "superseded": 0,
        "indexed": 1,
        "failed": 1,
        "cancelled": 0,
    },
    "chunks": {"total": 7, "embedded": 5, "reused": 2},
    "points": {"written": 7, "updated": 0, "deleted": 0},
    "embedding": {"model": "local/lexical-v2/384", "calls": 1, "inputs": 5, "tokens": 412},
    "seconds": 1.773,
    "errors": [
        {
            "path": "src/broken.py",
            "error": "MalformedDocument",
            "message": "The file's content cannot be read as what it says it is; repair the file.",
        }
    ],
    "skipped": [{"reason": "secret", "count": 1}],
    "message": "",
}

_BEGUN: dict[str, Any] = RUN | {
    "documents": RUN["documents"] | {"skipped": 0, "failed": 0},
    "errors": [],
    "skipped": [],
}

RUN_CANCELLED: dict[str, Any] = _BEGUN | {
    "state": "cancelled",
    "documents": _BEGUN["documents"] | {"cancelled": 1},
}

RUN_PAUSED: dict[str, Any] = _BEGUN | {"state": "paused"}

RUN_RESUMED: dict[str, Any] = _BEGUN | {"state": "running"}

DEAD_LETTER: dict[str, Any] = {
    "dead_letter_id": "8d1f4b62-0a53-4c2e-9f0b-3c5e7a9d1b24",
    "status": "open",
    "project": "shop",
    "source": "upload",
    "path": "src/endless.py",
    "document_id": _DOCUMENT_ID,
    "run_id": _RUN_ID,
    "generation": 3,
    "stage": "parse",
    "attempts": 3,
    "worker": "worker-7:4711",
    "error": "TimeLimitExceeded",
    "message": "the stage did not end within its hard limit of 120 s",
    "trace": 'File "parser.py", line 90 in parse',
    "accepted_at": _STARTED,
    "given_up_at": _FINISHED,
    "resolved_at": None,
}

DEAD_LETTERS: dict[str, Any] = {"items": [DEAD_LETTER], "next": _NEXT}

RETRIED: dict[str, Any] = {"run_id": _RUN_ID, "documents": 1}

DROPPED: dict[str, Any] = {"dropped": 1}

RUN_DOCUMENTS: dict[str, Any] = {
    "items": [
        {
            "document_id": _DOCUMENT_ID,
            "path": "src/basket.py",
            "action": "index",
            "outcome": "indexed",
            "state": "indexed",
            "generation": 3,
            "error": "",
            "message": "",
            "slice_id": _SLICE_ID,
            "finished_at": _FINISHED,
        }
    ],
    "next": None,
}

DOCUMENT: dict[str, Any] = {
    "document_id": _DOCUMENT_ID,
    "path": "src/basket.py",
    "project": "shop",
    "source": "upload",
    "state": "pending",
    "language": "python",
    "encoding": "utf-8",
    "newlines": "lf",
    "traits": ["test"],
    "generation": 4,
    "indexed_generation": 3,
    "chunks": 7,
    "imports": ["decimal", "shop.stock"],
    "run_id": _RUN_ID,
    "slice_id": _SLICE_ID,
    "stage": "embed",
    "slice_state": "running",
    "attempts": 1,
    "holder": "worker-7:4711",
    "error": "",
    "message": "",
    "next_action": "the worker finishes it; if the worker dies, it is taken over when its lease ends",
    "dead_letter_id": None,
}

TASK: dict[str, Any] = {
    "task_id": f"{_SLICE_ID}:parse:1",
    "is_current": False,
    "verdict": "past: the slice has left this stage and is at embed",
    "celery": {"state": "SUCCESS", "counts": {"outlines": 2, "failed": 0}, "error": "", "finished_at": _FINISHED},
    "ledger": {
        "slice_id": _SLICE_ID,
        "run_id": _RUN_ID,
        "project": "shop",
        "source": "upload",
        "stage": "embed",
        "seq": 3,
        "state": "running",
        "attempts": 1,
        "worker": "worker-7:4711",
        "lease_until": _FINISHED,
        "not_before": None,
        "dispatched_at": _STARTED,
        "finished_at": None,
        "error": "",
        "message": "",
    },
}

SEARCH: dict[str, Any] = {
    "mode": "sparse",
    "items": [
        {
            "path": "src/basket.py",
            "start_line": 12,
            "end_line": 19,
            "language": "python",
            "kind": "function",
            "name": "reserve",
            "scope": ["Basket"],
            "score": 17.13204,
            "text": "def reserve(self, lines):\n    ...\n",
            "facts": {
                "symbol": "Basket.reserve",
                "doc": "Hold what the lines name until the basket is paid for.",
                "parameters": ["self", "lines"],
                "returns": "None",
                "decorators": [],
                "complexity": 3,
                "part": 1,
                "parts": 1,
                "references": ["hold", "Shortage"],
                "has_error": False,
            },
            "traits": [],
        }
    ],
}

RECONCILIATIONS: dict[str, Any] = {
    "items": [
        {
            "reconciliation_id": "c7b1d0f4-2b1d-4a3c-9a53-6b1f3a0e2d11",
            "project": "shop",
            "is_repair": True,
            "state": "finished",
            "compared": 9255,
            "scanned": 9256,
            "drifted": 2,
            "missing": 1,
            "orphan": 1,
            "stale": 0,
            "deferred": 0,
            "repaired": 2,
            "failed": 0,
            "message": "",
            "started_at": _STARTED,
            "finished_at": _FINISHED,
            "seconds": 1.204,
        }
    ],
    "next": None,
}

ALIVE: dict[str, Any] = {"status": "alive"}

READY: dict[str, Any] = {"status": "degraded", "services": {"postgres": "ok", "redis": "down", "qdrant": "ok"}}
