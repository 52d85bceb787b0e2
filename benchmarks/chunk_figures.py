"""The intrinsic figures of chunks: lossless or not, how full, cut where; none of them asks the chunker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from uuid import UUID

from benchmarks.chunk_truth import Truth, innermost_sizes, is_cut
from pipeline.embed import estimate_tokens
from pipeline.header import embedding_input
from pipeline.types import Chunk, DocumentRef

#: Chunks with less of the cap than this are tiny.
TINY = 0.1
#: Files that are nothing but tables: of the standard library's chunks they make the most that no statement ends.
TABLES = ("encodings/", "pydoc_data/")

DOCUMENT = DocumentRef(UUID(int=1), "some/module.py", "python", 1, None)

_SPACE = b" \t\n\r\f\v"


@dataclass(slots=True)
class Tally:
    """Counts over the files of one corpus."""

    counts: Counter[str] = field(default_factory=Counter)
    fills: list[float] = field(default_factory=list)
    fills_of_cut_files: list[float] = field(default_factory=list)
    largest_bytes: int = 0
    largest_tokens: int = 0

    def add(self, path: str, text: bytes, chunks: Sequence[Chunk], truth: Truth, cap: int) -> None:
        """Count one file."""
        self.counts["files"] += 1
        self.counts["bytes"] += len(text)
        self.counts["chunks"] += len(chunks)
        self.counts["lossless files"] += b"".join(text[c.start : c.end] for c in chunks) == text
        self.counts["bytes once"] += _bytes_once(len(text), chunks)
        self._add_sizes(path, text, chunks, cap)
        self._add_cuts(path, text, chunks, truth, cap)

    def _add_sizes(self, path: str, text: bytes, chunks: Sequence[Chunk], cap: int) -> None:
        for c in chunks:
            size = c.end - c.start
            body = text[c.start : c.end].decode()
            tokens = estimate_tokens(embedding_input(path, c.scope_signatures, c.defines, body))
            self.largest_tokens = max(self.largest_tokens, tokens)
            self.largest_bytes = max(self.largest_bytes, size)
            self.counts["over cap"] += size > cap
            self.counts["tiny"] += size < TINY * cap
            # A file that is smaller than that is a small chunk, whoever cuts it.
            self.counts["tiny files"] += size < TINY * cap and len(chunks) == 1
            self.fills.append(size / cap)
            if len(text) > cap:
                self.fills_of_cut_files.append(size / cap)

    def _add_cuts(self, path: str, text: bytes, chunks: Sequence[Chunk], truth: Truth, cap: int) -> None:
        cuts = [c.start for c in chunks[1:]]
        self.counts["cuts"] += len(cuts)
        self.counts["unforced"] += sum(0 < size <= cap for size in innermost_sizes(truth, cuts))
        fitting = [span for span in truth.functions if span[1] - span[0] <= cap]
        self.counts["functions"] += len(fitting)
        self.counts["whole functions"] += sum(not is_cut(span, cuts) for span in fitting)
        self.counts["leads"] += len(truth.leads)
        torn = [lead for lead in truth.leads if is_cut((lead.start, lead.code + 1), cuts)]
        self.counts["torn"] += len(torn)
        self.counts["torn unforced"] += sum(not lead.is_forced(cap) for lead in torn)
        clean = sum(_is_clean(text, c, truth) for c in chunks)
        self.counts["clean"] += clean
        self.counts["forced"] += forced_chunks(text, truth, cap)
        if not path.startswith(TABLES):
            self.counts["clean without tables"] += clean
            self.counts["chunks without tables"] += len(chunks)

    def figures(self) -> Mapping[str, float | int]:
        """Return the figures by name; shares are between 0 and 1."""
        n = self.counts
        fills, fills_of_cut_files = sorted(self.fills) or [0.0], sorted(self.fills_of_cut_files) or [0.0]
        return {
            "files": n["files"],
            "mb": round(n["bytes"] / 1e6, 3),
            "chunks": n["chunks"],
            "lossless_files": _share(n["lossless files"], n["files"]),
            "bytes_in_one_chunk": _share(n["bytes once"], n["bytes"]),
            "over_cap": n["over cap"],
            "largest_bytes": self.largest_bytes,
            "largest_tokens_with_header": self.largest_tokens,
            "unforced_cuts": n["unforced"],
            "fitting_functions_whole": _share(n["whole functions"], n["functions"]),
            "statement_ends": _share(n["clean"], n["chunks"]),
            "statement_ends_without_tables": _share(n["clean without tables"], n["chunks without tables"]),
            "achievable_statement_ends": _share(n["chunks"] - n["forced"], n["chunks"]),
            "torn": _share(n["torn"], n["leads"], empty=0.0),
            "torn_unforced": _share(n["torn unforced"], n["leads"], empty=0.0),
            "tiny": _share(n["tiny"], n["chunks"], empty=0.0),
            "tiny_without_tiny_files": _share(n["tiny"] - n["tiny files"], n["chunks"], empty=0.0),
            "mean_fill": round(fmean(fills), 4),
            "p10_fill": round(fills[len(fills) // 10], 4),
            "mean_fill_of_cut_files": round(fmean(fills_of_cut_files), 4),
            "p10_fill_of_cut_files": round(fills_of_cut_files[len(fills_of_cut_files) // 10], 4),
        }


def _share(part: int, whole: int, empty: float = 1.0) -> float:
    return round(part / whole, 5) if whole else empty


def _bytes_once(size: int, chunks: Iterable[Chunk]) -> int:
    """Return how many of ``size`` bytes are in exactly one chunk."""
    seen = bytearray(size)
    for c in chunks:
        seen[c.start : c.end] = bytes(min(value + 1, 2) for value in seen[c.start : c.end])
    return seen.count(1)


def forced_chunks(text: bytes, truth: Truth, cap: int) -> int:
    """Return how many chunks cannot start and end with statements, however well a text is cut.

    They hold the stretches longer than a chunk in which no statement starts behind the end of another one, such as
    tables and docstrings: as few as it takes, with nothing else in them.
    """
    starts = (start for start in sorted(truth.starts) if _ends_at(text, 0, start, truth))
    sizes = (_without(text, start, end, _SPACE) - start for start, end in pairwise([0, *starts, len(text)]))
    return sum(-(-size // cap) for size in sizes if size > cap)


def _without(text: bytes, start: int, end: int, ending: bytes) -> int:
    """Return where a text ends that does not end with any of these bytes."""
    while end > start and text[end - 1] in ending:
        end -= 1
    return end


def _ends_at(text: bytes, start: int, end: int, truth: Truth) -> bool:
    """Tell whether what is before an offset, but for white space and separators, ends with a statement."""
    end = _without(text, start, end, _SPACE)
    return end in truth.ends or _without(text, start, end, b",;" + _SPACE) in truth.ends


def _is_clean(text: bytes, chunk: Chunk, truth: Truth) -> bool:
    """Tell whether a chunk starts where a statement starts, and ends where one ends."""
    stripped = text[chunk.start : chunk.end].lstrip(_SPACE)
    start = chunk.end - len(stripped)
    if not stripped:
        return True
    starts = start in truth.starts or not text[:start].strip(_SPACE + b"\xef\xbb\xbf")
    return starts and (_ends_at(text, start, chunk.end, truth) or not text[chunk.end :].strip(_SPACE))
