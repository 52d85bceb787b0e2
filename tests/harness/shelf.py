"""The part of a ledger that buying embeddings uses, in memory, and what is bought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from pipeline.stages import EmbeddingInput
from pipeline.types import Claim, EmbeddingModel, EmbeddingReply, Failure, Scope, Stage, Token, Vector
from pipeline.work import Reservation

CLAIM = Claim(Token(uuid4(), Stage.EMBED, 1), uuid4(), uuid4(), uuid4(), Scope(uuid4(), uuid4()), 1)
_ONE = UUID(int=1)


class Shelf:
    """The ledger's embeddings in memory. ``elsewhere`` are reserved by another slice, which ``then`` may change."""

    def __init__(self) -> None:
        self.vectors: dict[bytes, Vector] = {}
        self.elsewhere: set[bytes] = set()
        self.asked: list[list[bytes]] = []
        self.replies: list[EmbeddingReply] = []
        self.rejected: list[Failure] = []
        self.then: Callable[[], object] = lambda: None

    def reserve_embeddings(self, claim: Claim, model: EmbeddingModel, hashes: Sequence[bytes]) -> Reservation:
        self.asked.append(list(hashes))
        missing = set(hashes) - set(self.vectors)
        reservation = Reservation(frozenset(missing - self.elsewhere), frozenset(missing & self.elsewhere))
        self.then()
        return reservation

    def record_rejected(self, claim: Claim, failures: Sequence[Failure]) -> None:
        self.rejected += failures

    def save_reply(self, claim: Claim, model: EmbeddingModel, reply: EmbeddingReply) -> None:
        self.replies.append(reply)
        self.vectors |= dict(zip(reply.call.hashes, reply.vectors, strict=True))


def inputs(*texts: str, documents: tuple[UUID, ...] = (_ONE,)) -> dict[bytes, EmbeddingInput]:
    return {key(text): EmbeddingInput(text, documents) for text in texts}


def key(text: str) -> bytes:
    return text.encode()
