"""Small contents to ingest, and what a plan would hand to the ledger for them."""

from __future__ import annotations

from dataclasses import replace

from pipeline.identity import revision_of
from pipeline.intake import AcceptedDocument
from pipeline.parse.languages import detect_language
from pipeline.reading import reading_of


def functions(*names: str) -> str:
    """Return a module of functions; each is a chunk of its own, of two lines."""
    return "".join(f"def {name}():\n    return 1\n" for name in names)


def accepted(path: str, content: str | bytes, *, is_new: bool) -> AcceptedDocument:
    """Return a revision as a plan accepts it, with a file status that is too fresh to be trusted."""
    data = content.encode() if isinstance(content, str) else content
    document = AcceptedDocument(path, detect_language(path, data), data, revision_of(data), "", is_new)
    return replace(document, reading=reading_of(path, data))
