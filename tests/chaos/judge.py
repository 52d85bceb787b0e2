"""Find every broken promise in the facts; each function looks for its own kinds and returns them all.

Pure, and independent of the stages' own bookkeeping: a document counts as there when its chunks put together are the
file's bytes and each of them has its point, whatever its state says; its state is then held against that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from chaos.facts import Breach, Chunk, Disturbance, Document, History, Hit, Payment, Stores, Violation

#: A bought reply is committed at the latest so long after it left the provider (seconds); then no fault excuses it.
SETTLING = 5.0


def judge_rest(files: Mapping[str, bytes], stores: Stores) -> list[Violation]:
    """Hold the stores at rest against the files of the tree."""
    live = [document for document in stores.documents if not document.is_deleted]
    return [
        *(Violation(Breach.STUCK, line) for line in stores.open_work),
        *(Violation(Breach.GIVEN_UP, line) for line in stores.given_up),
        *_files(files, live, stores.chunks),
        *_twice(live, stores.chunks),
        *_points(stores),
        *_done(stores),
    ]


def _files(files: Mapping[str, bytes], live: Sequence[Document], chunks: Sequence[Chunk]) -> Iterator[Violation]:
    by_document = _standing(chunks)
    shown = {document.path: _text(document, by_document.get(document.id, [])) for document in live}
    for path, content in files.items():
        if path not in shown:
            yield Violation(Breach.LOST, f"{path}: the ledger has no such document")
        elif shown[path] != content:
            yield Violation(Breach.LOST, f"{path}: the committed chunks are not its newest text")
    for document in live:
        if document.path not in files:
            yield Violation(Breach.LINGERING, f"{document.path} ({document.id}) is gone from the tree")


def _text(document: Document, chunks: Sequence[Chunk]) -> bytes | None:
    """Return the text that the chunks tile; None if they leave a gap, overlap, or there is nothing to cut from."""
    if document.text is None:
        return None
    ordered = sorted(chunks, key=lambda chunk: chunk.start)
    ends = [0, *(chunk.end for chunk in ordered)]
    is_tiled = all(chunk.start == end for chunk, end in zip(ordered, ends, strict=False))
    return document.text if is_tiled and ends[-1] == len(document.text) else None


def _twice(live: Sequence[Document], chunks: Sequence[Chunk]) -> Iterator[Violation]:
    for path, count in Counter(document.path for document in live).items():
        if count > 1:
            yield Violation(Breach.DUPLICATED, f"{path} has {count} live documents")
    for document, standing in _standing(chunks).items():
        for left, right in pairwise(sorted(standing, key=lambda chunk: (chunk.start, chunk.end))):
            if right.start < left.end:
                yield Violation(Breach.DUPLICATED, f"chunks {left.id} and {right.id} of {document} overlap")


def _points(stores: Stores) -> Iterator[Violation]:
    paths = {document.id: document.path for document in stores.documents if not document.is_deleted}
    standing = {chunk.id: chunk for chunk in stores.chunks if not chunk.is_retired and chunk.document in paths}
    for key, chunk in standing.items():
        payload = stores.points.get(key)
        if payload is None:
            yield Violation(Breach.MISSING, f"{key} of {paths[chunk.document]}")
        elif unlike := _unlike(payload, chunk, paths[chunk.document]):
            yield Violation(Breach.WRONG, f"{key} of {paths[chunk.document]}: {', '.join(unlike)}")
    for key, payload in stores.points.items():
        if key not in standing:
            yield Violation(Breach.ORPHANED, f"{key} of {payload.get('path')}, generation {payload.get('generation')}")


def _unlike(payload: Mapping[str, object], chunk: Chunk, path: str) -> list[str]:
    expected = {
        "path": path,
        "generation": chunk.generation,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "text_hash": chunk.text_hash,
    }
    return [
        f"{name} {payload.get(name)!r}, not {value!r}" for name, value in expected.items() if payload.get(name) != value
    ]


def _done(stores: Stores) -> Iterator[Violation]:
    standing = _standing(stores.chunks)
    documents = {document.id: document for document in stores.documents}
    for document in stores.documents:
        if document.state == "indexed":
            yield from indexed_in_vain(document, standing.get(document.id, []), stores.points)
        if document.state == "deleted" and standing.get(document.id):
            yield Violation(Breach.FALSELY_DONE, f"{document.path} is deleted and has chunks")
    for key, outcome, generation in stores.outcomes:
        document = documents[key]
        if outcome in {"indexed", "deleted"} and generation == document.generation and document.indexed < generation:
            yield Violation(
                Breach.FALSELY_DONE, f"a run says that {document.path} is {outcome}; it is {document.state}"
            )


def indexed_in_vain(
    document: Document, chunks: Sequence[Chunk], points: Mapping[str, Mapping[str, object]]
) -> list[Violation]:
    """Say why a document that is reported as indexed is not: other text, or chunks that cannot be found."""
    reasons = []
    if document.committed_revision != document.revision or document.indexed != document.generation:
        reasons.append("an older revision is committed")
    if _text(document, chunks) is None:
        reasons.append("its chunks do not make up its text")
    if absent := [chunk.id for chunk in chunks if chunk.id not in points]:
        reasons.append(f"without points: {', '.join(absent)}")
    return [Violation(Breach.FALSELY_DONE, f"{document.path} is indexed, but {reason}") for reason in reasons]


def judge_answer(history: History, hits: Sequence[Hit]) -> list[Violation]:
    """Hold one answer of the search against all that its files ever held."""
    found: list[Violation] = []
    for path in dict.fromkeys(hit.path for hit in hits):
        ours = [hit for hit in hits if hit.path == path]
        versions = history.versions(path)
        if not any(all(_stands_in(hit, lines) for hit in ours) for lines in map(_lines, versions)):
            spans = ", ".join(f"{hit.start_line}-{hit.end_line}" for hit in ours)
            found.append(Violation(Breach.MIXED, f"{path} lines {spans}: none of its {len(versions)} revisions"))
        found += [
            Violation(Breach.DUPLICATED, f"{path} line {line} stands {count} times in one answer")
            for (line, _), count in Counter((hit.start_line, hit.text) for hit in ours).items()
            if count > 1
        ]
    return found


def _lines(content: bytes) -> list[str]:
    return content.decode().splitlines(keepends=True)


def _stands_in(hit: Hit, lines: Sequence[str]) -> bool:
    return hit.text in "".join(lines[hit.start_line - 1 : hit.end_line])


def judge_bill(payments: Iterable[Payment], disturbances: Sequence[Disturbance]) -> tuple[list[Violation], int]:
    """Return the texts that were bought again for no reason, and how many were bought again because of a fault."""
    bought: dict[str, list[Payment]] = {}
    for payment in payments:
        for text in dict.fromkeys(payment.texts):
            bought.setdefault(text, []).append(payment)
    found, excused = [], 0
    for text, each in bought.items():
        earlier = sorted(each, key=lambda payment: payment.ended)[:-1]
        unexcused = [payment for payment in earlier if not _is_excused(payment, disturbances)]
        excused += len(earlier) - len(unexcused)
        if unexcused:
            at = ", ".join(f"{payment.ended:.1f}" for payment in unexcused)
            found.append(Violation(Breach.PAID_TWICE, f"{text[:60]!r}, {len(each)} times; in vain at {at} s"))
    return found, excused


def _is_excused(payment: Payment, disturbances: Sequence[Disturbance]) -> bool:
    return payment.is_spoiled or any(
        fault.begun <= payment.ended + SETTLING and fault.ended >= payment.begun for fault in disturbances
    )


def _standing(chunks: Iterable[Chunk]) -> dict[str, list[Chunk]]:
    found: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        if not chunk.is_retired:
            found.setdefault(chunk.document, []).append(chunk)
    return found
