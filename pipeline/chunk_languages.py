"""Say which chunks are code of another language than their document's: a fenced block of a page, a script of a view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import repeat

from pipeline.types import OutlineNode

#: Of a chunk's bytes. With no more than this it is in the document's language.
_MOST = 0.5


def embedded_languages(nodes: Sequence[OutlineNode], ends: Sequence[int]) -> Iterator[str]:
    """Yield the language that most of each chunk is embedded in, else nothing; chunk ``i`` ends at ``ends[i]``."""
    # Such pieces are never inside each other.
    pieces = [node for node in nodes if node.language and node.kind == "code"]
    if not pieces:
        yield from repeat("", len(ends))
        return
    start = at = 0
    for end in ends:
        sizes: Counter[str] = Counter()
        while at < len(pieces) and pieces[at].start < end:
            piece = pieces[at]
            sizes[piece.language] += min(piece.end, end) - max(piece.start, start)
            if piece.end > end:
                break
            at += 1
        language, size = max(sizes.items(), key=lambda item: item[1], default=("", 0))
        yield language if size > _MOST * (end - start) else ""
        start = end
