"""An embedder in memory that records every text it is given and fails when it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.embed import estimate_tokens
from pipeline.errors import IngestError, InputRejected, NotBegun, ServiceUnavailable
from pipeline.testing.vectors import hashed_vector
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector


class RecordingEmbedder:
    """Vectors depend on nothing but the text.

    ``calls`` are the calls that were made, failed ones included; ``bought`` the texts that came back as vectors or
    ``spoiled``, as often as they were paid for. What goes wrong is told by pieces of text: a call that contains one of
    ``refused`` is rejected, to one of ``failing`` the provider answers that it failed, and a text with one of
    ``spoiled`` is paid for and has no usable vector. ``script`` is consumed one entry per call: an error to fail with,
    or None to succeed; once it is empty, calls succeed.
    """

    def __init__(self, model: EmbeddingModel | None = None) -> None:
        self._model = model or EmbeddingModel("testing", "recording", 8)
        self.calls: list[EmbeddingCall] = []
        self.bought: list[str] = []
        self.queries: list[str] = []
        self.script: deque[IngestError | None] = deque()
        self.refused: set[str] = set()
        self.failing: set[str] = set()
        self.spoiled: set[str] = set()

    @property
    def model(self) -> EmbeddingModel:
        """See the port."""
        return self._model

    def embed(
        self, calls: Sequence[EmbeddingCall], is_halted: Callable[[], bool] = lambda: False
    ) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """See the port."""
        for call in calls:
            if is_halted():
                yield EmbeddingFault(call, NotBegun())
                continue
            self.calls.append(call)
            error = self._next_error(call.inputs)
            yield EmbeddingFault(call, error) if error is not None else self._reply(call)

    def embed_query(self, text: str) -> Vector:
        """See the port."""
        self.queries.append(text)
        error = self._next_error([text])
        if error is None and _holds(text, self.spoiled):
            error = InputRejected()
        if error is not None:
            raise error
        return hashed_vector(text, self._model.dims)

    def close(self) -> None:
        """See the port."""

    def _next_error(self, inputs: Sequence[str]) -> IngestError | None:
        if any(_holds(text, self.refused) for text in inputs):
            return InputRejected()
        if any(_holds(text, self.failing) for text in inputs):
            return ServiceUnavailable("The provider", "It answers with status 500.", 500)
        return self.script.popleft() if self.script else None

    def _reply(self, call: EmbeddingCall) -> EmbeddingReply:
        self.bought.extend(call.inputs)
        pairs = list(zip(call.hashes, call.inputs, strict=True))
        good = {embed_hash: text for embed_hash, text in pairs if not _holds(text, self.spoiled)}
        faults = tuple(
            EmbeddingFault(EmbeddingCall((embed_hash,), (text,)), InputRejected())
            for embed_hash, text in pairs
            if embed_hash not in good
        )
        vectors = tuple(hashed_vector(text, self._model.dims) for text in good.values())
        tokens = sum(map(estimate_tokens, call.inputs))
        return EmbeddingReply(EmbeddingCall(tuple(good), tuple(good.values())), vectors, tokens, faults)


def _holds(text: str, pieces: Iterable[str]) -> bool:
    return any(piece in text for piece in pieces)
