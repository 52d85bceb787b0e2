"""The values that travel between the stages, and what each of them promises.

Every value is frozen. Offsets are byte offsets into a document's *text*: its UTF-8 form, which is the file's own
bytes whenever those are valid UTF-8 (byte order mark and line ends included). A chunk's body is always
``text[start:end]``; nothing here ever holds a rebuilt copy of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from pipeline.choices import Priority as Priority  # noqa: PLC0414  all but the command line take it from here
from pipeline.errors import IngestError
from pipeline.facts import ChunkFacts, FileFacts
from pipeline.sparse import SparseVector

#: A vector as packed little-endian float32, ``4 * dims`` bytes long.
Vector = bytes


class Stage(StrEnum):
    """The four links of a slice's chain, in the order they run."""

    PARSE = "parse"
    CHUNK = "chunk"
    EMBED = "embed"
    UPSERT = "upsert"

    def following(self) -> tuple[Stage, ...]:
        """Return this stage and the ones after it, in order."""
        stages = tuple(Stage)
        return stages[stages.index(self) :]


class Action(StrEnum):
    """What a run does to a document: bring its new revision into the index, or take the document out."""

    INDEX = "index"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespace that every query, point and key is confined to."""

    tenant_id: UUID
    project_id: UUID


@dataclass(frozen=True, slots=True)
class Token:
    """What a message carries: the right to run one stage of one slice, once. ``seq`` grows with every send."""

    slice_id: UUID
    stage: Stage
    seq: int

    @property
    def task_id(self) -> str:
        """The Celery task id: derived, so that the same message sent twice has the same id."""
        return f"{self.slice_id}:{self.stage.value}:{self.seq}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on one stage of one slice. ``owner`` is fresh for every claim and fences every later write.

    ``version`` is the slice's: what it asks of a worker (``pipeline.versions``).
    """

    token: Token
    owner: UUID
    run_id: UUID
    source_id: UUID
    scope: Scope
    attempts: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """One document of a slice at the generation its run accepted. ``revision`` is None when it is to be deleted.

    ``traits`` are given where points are made of it.
    """

    id: UUID
    path: str
    language: str
    generation: int
    revision: bytes | None
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one document failed: the error's class name and a message that says what to do."""

    document_id: UUID
    error: str
    message: str


class OutlineNode(NamedTuple):
    """One span of the syntax tree that matters to chunking, in pre-order.

    ``start`` and ``end`` are byte offsets, ``depth`` is 0 for the file's top-level nodes and a node's children
    follow it with ``depth + 1``. ``kind`` is a word of ours (function, class, method, section, import, comment,
    decorator, block, ...); ``name`` and ``signature`` are empty where the node defines nothing. ``language`` is set
    where it is not the file's: inside code that is embedded in a document.
    """

    start: int
    end: int
    depth: int
    kind: str
    name: str = ""
    signature: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """What parse leaves for chunk: serialisable, versioned, ordered by ``start``.

    ``length`` is the text's size in bytes; nodes need not cover it (white space and punctuation between them
    belong to no node), they only never overlap except by nesting. ``facts`` is None where the language has none.
    """

    version: int
    language: str
    encoding: str
    length: int
    has_error: bool
    nodes: tuple[OutlineNode, ...]
    facts: FileFacts | None = None


class Chunk(NamedTuple):
    """A span of a document's text to embed. ``chunks[i].end == chunks[i + 1].start``; together they are the text.

    ``start_line`` and ``end_line`` are 1-based and inclusive. ``scope`` names the enclosing definitions from the
    outside in and ``scope_signatures`` gives their first lines. ``defines`` names what is defined inside.
    ``parent_start`` and ``parent_end`` are the span of the definition that the chunk is, or else of the innermost one
    that it is a part of; its own span where there is neither. All parts of a definition have the same parent span;
    comments before the definition, and white space behind it, are in a chunk but not in its parent. ``language`` is set
    where most of the chunk is code of another language, embedded in the document.
    """

    id: UUID
    ordinal: int
    start: int
    end: int
    start_line: int
    end_line: int
    kind: str
    name: str
    scope: tuple[str, ...]
    scope_signatures: tuple[str, ...]
    defines: tuple[str, ...]
    text_hash: bytes
    embed_hash: bytes
    parent_start: int
    parent_end: int
    facts: ChunkFacts | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """All chunks of one document at one generation: the output of the chunk stage. Zero chunks is a valid set.

    ``imports`` are the modules that the document imports, as it writes them. ``versions`` are those of the worker that
    made them (``worker.chunking.versions``); empty where it did not say.
    """

    document: DocumentRef
    chunks: tuple[Chunk, ...]
    imports: tuple[str, ...] = ()
    versions: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A provider's model as the ledger records it. Vectors of different models never mix.

    ``max_inputs`` and ``max_tokens`` bound one provider call; ``max_input_tokens`` bounds one text. ``is_semantic``:
    texts of like meaning are near each other even where they share no words.
    """

    provider: str
    name: str
    dims: int
    max_inputs: int = 256
    max_tokens: int = 200_000
    max_input_tokens: int = 8_000
    is_semantic: bool = True

    @property
    def key(self) -> str:
        """A name for the model that is stable and unique: ``provider/name/dims``."""
        return f"{self.provider}/{self.name}/{self.dims}"


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """One provider call to make: ``inputs[i]`` is the text whose SHA-256 is ``hashes[i]``."""

    hashes: tuple[bytes, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingReply:
    """What one call brought: ``vectors[i]`` belongs to ``call.hashes[i]``. ``tokens`` is the provider's own count.

    ``call`` holds the texts that have a usable vector. The call was paid for the others as well: each has a fault.
    """

    call: EmbeddingCall
    vectors: tuple[Vector, ...]
    tokens: int
    faults: tuple[EmbeddingFault, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingFault:
    """A call that brought nothing, and why."""

    call: EmbeddingCall
    error: IngestError


@dataclass(frozen=True, slots=True)
class Point:
    """What the index stores for a chunk. ``payload`` is described in ``worker/adapters/qdrant.py``.

    A point without ``sparse`` is found by its embedding only.
    """

    id: UUID
    generation: int
    vector: Vector
    payload: Mapping[str, object]
    sparse: SparseVector = SparseVector((), ())  # noqa: RUF009  it is frozen


@dataclass(frozen=True, slots=True)
class PointMove:
    """A new payload for a point whose vector stays: its chunk moved inside the file."""

    id: UUID
    generation: int
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Retirement:
    """A point to delete, but only while the index still holds a generation below ``below``."""

    id: UUID
    below: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result of the index, before it is joined to the ledger. ``pipeline.search`` says what scores mean."""

    id: UUID
    score: float
    generation: int


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """What a search is confined to besides its scope. Empty means: no restriction.

    ``places`` are directories or files, spelled as ``pipeline.search.places_of`` does. ``only`` and ``exclude`` name
    traits: a chunk's document has one of the first, and none of the second.
    """

    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sources: tuple[UUID, ...] = ()
    places: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """What the index says it holds for a point: enough to tell whether it is the one that was written."""

    id: UUID
    generation: int
    payload: Mapping[str, object] = field(default_factory=dict)
