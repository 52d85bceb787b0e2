"""Which languages have a grammar, how to recognise them, and what their syntax nodes mean to us.

One table entry is all a language needs: where its grammar is, and which of its node types are definitions, bodies,
comments and so on. Nothing outside this package names a node type. A language without an entry is ``text``: it is
chunked by paragraphs and lines.
"""

from pipeline.parse.languages.detection import HEAD_BYTES, detect_language, language_called
from pipeline.parse.languages.entry import (
    BRANCHES,
    CLAUSES,
    HOLDERS,
    MAX_PARSED_BYTES,
    TEXT,
    Embedding,
    Language,
    Wrapper,
)
from pipeline.parse.languages.registry import LANGUAGES, grammar_of, language_of

__all__ = [
    "BRANCHES",
    "CLAUSES",
    "HEAD_BYTES",
    "HOLDERS",
    "LANGUAGES",
    "MAX_PARSED_BYTES",
    "TEXT",
    "Embedding",
    "Language",
    "Wrapper",
    "detect_language",
    "grammar_of",
    "language_called",
    "language_of",
]
