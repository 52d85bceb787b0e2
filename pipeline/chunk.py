"""Cut a document's text into the chunks that are embedded: every byte in exactly one, none above the budget.

A chunk's body is always a span of the text. Lines are ended by ``\\n``, ``\\r\\n`` or a lone ``\\r``, one each, and no
chunk ends between the two bytes of a ``\\r\\n`` or inside a character. The same text, outline and budget give the same
chunks everywhere, and an edit in one function leaves the chunks of the others as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.chunk_atoms import Atoms
from pipeline.chunk_facts import describe_chunks, imported_modules
from pipeline.chunk_labels import Label, label_chunks
from pipeline.chunk_languages import embedded_languages
from pipeline.chunk_pack import Packer, Packing
from pipeline.embed import BYTES_PER_TOKEN
from pipeline.errors import MalformedDocument
from pipeline.facts import ChunkFacts
from pipeline.header import MAX_HEADER_BYTES, embedding_bytes
from pipeline.identity import chunk_id, embed_hash, text_hash
from pipeline.parse.walk import LEAF_BYTES
from pipeline.types import Chunk, ChunkSet, DocumentRef, Outline

#: Grows with every change to where the same outline is cut or what is said of the chunks.
CHUNKER_VERSION = 4
#: Outlines are kept for budgets of at least so many bytes; for smaller ones a file is parsed again.
KEPT_LEAF_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class ChunkBudget:
    """How large chunks may and should be, in bytes of UTF-8 without the header.

    ``max_bytes`` is never exceeded; a definition up to that size is never cut. Small neighbours are joined up to
    ``target_bytes``, in the way that ``packing`` says. 2,000 bytes are 50 lines of code, about one long function and
    500 tokens; with the header they are at most 2,600 tokens even if every byte were one.

    Raises:
        ValueError: The bounds are below 16 bytes, or the target is above the maximum.
    """

    max_bytes: int = 2_000
    target_bytes: int = 2_000
    packing: Packing = Packing.BALANCED

    def __post_init__(self) -> None:
        if not 16 <= self.target_bytes <= self.max_bytes:
            raise ValueError("A chunk budget needs 16 <= target_bytes <= max_bytes.")

    @property
    def leaf_bytes(self) -> int:
        """How large a node may be that an outline for this budget does not look into."""
        return KEPT_LEAF_BYTES if self.max_bytes >= KEPT_LEAF_BYTES else LEAF_BYTES

    def within(self, max_input_tokens: int) -> ChunkBudget:
        """Return this budget, or the largest below it whose chunks an embedder takes whole, headers included.

        Raises:
            ValueError: So few tokens leave no room beside the largest header.
        """
        most = max_input_tokens * BYTES_PER_TOKEN - MAX_HEADER_BYTES
        return replace(self, max_bytes=min(self.max_bytes, most), target_bytes=min(self.target_bytes, most))


def chunk(document: DocumentRef, text: bytes, outline: Outline, budget: ChunkBudget) -> ChunkSet:
    """Return the chunks of a document's text, which is what ``text_of`` gives for the outline's encoding.

    Raises:
        MalformedDocument: The outline is not that of this text, or the text is not UTF-8.
    """
    try:
        text.decode()
    except UnicodeDecodeError as exc:
        raise MalformedDocument("The text to chunk is not UTF-8; decode the file first.") from exc
    ends = chunk_ends(text, outline, budget)
    labels = list(label_chunks(text, outline.nodes, ends))
    facts = describe_chunks(text, outline, ends, labels)
    languages = embedded_languages(outline.nodes, ends)
    chunks = tuple(_chunks(document, text, zip(ends, labels, facts, languages, strict=True)))
    return ChunkSet(document, chunks, imported_modules(text, outline))


def chunk_ends(text: bytes, outline: Outline, budget: ChunkBudget) -> list[int]:
    """Return where each chunk of the text ends, in ascending order.

    Raises:
        MalformedDocument: The outline is not that of this text.
    """
    if outline.length != len(text):
        raise MalformedDocument("The outline belongs to another text; parse the document again.")
    atoms = Atoms(text, outline.nodes, budget.max_bytes).cut()
    return Packer(text, atoms, budget.max_bytes, budget.target_bytes, budget.packing).ends()


def _chunks(
    document: DocumentRef, text: bytes, described: Iterable[tuple[int, Label, ChunkFacts | None, str]]
) -> Iterator[Chunk]:
    start, lines = 0, 0
    occurrences: dict[bytes, int] = {}
    for ordinal, (end, label, facts, language) in enumerate(described):
        body = text[start:end]
        body_hash = text_hash(body)
        occurrence = occurrences.get(body_hash, 0)
        newlines = count_newlines(body)
        kind, name, around, defines, parent = label
        signatures = tuple([node.signature for node in around])
        yield Chunk(
            id=chunk_id(document.id, body_hash, occurrence),
            ordinal=ordinal,
            start=start,
            end=end,
            start_line=lines + 1,
            end_line=lines + newlines + (not body.endswith((b"\n", b"\r"))),
            kind=kind,
            name=name,
            scope=tuple([node.name for node in around]),
            scope_signatures=signatures,
            defines=defines,
            text_hash=body_hash,
            embed_hash=embed_hash(embedding_bytes(document.path, signatures, defines, body)),
            parent_start=start if parent is None else parent.start,
            parent_end=end if parent is None else parent.end,
            facts=facts,
            language=language,
        )
        occurrences[body_hash] = occurrence + 1
        start, lines = end, lines + newlines


def count_newlines(body: bytes) -> int:
    """Return how many lines end in ``body``: ``\\n``, ``\\r\\n`` and a lone ``\\r`` are one line end each."""
    newlines = body.count(b"\n")
    return newlines + body.count(b"\r") - body.count(b"\r\n") if b"\r" in body else newlines
