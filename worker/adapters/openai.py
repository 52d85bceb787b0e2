"""Buy vectors from any OpenAI-compatible endpoint: several calls at once, each paid for once.

The calls of one ``embed`` run on an event loop in a thread of their own, and each reply is handed over as it
arrives, so that the caller can commit it before the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed

from openai import omit

from pipeline.budget import QUERY_PATIENCE, STAGE_PATIENCE, NoLimit
from pipeline.errors import IngestError, InputRejected, NotBegun, ServiceUnavailable
from pipeline.identity import embed_hash
from pipeline.ports import Limiter
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector
from worker.adapters.known_models import openai_model
from worker.adapters.loop_thread import LoopThread
from worker.adapters.openai_reply import SERVICE, read_reply
from worker.adapters.openai_sending import Sender
from worker.adapters.permits import Permits
from worker.adapters.refused_calls import RefusedCalls

#: Where calls go unless another base URL is given. Said here so that the client does not ask the environment.
DEFAULT_BASE_URL = "https://api.openai.com/v1"


class OpenAIEmbedder:
    """An embedder of one model at one endpoint; see ``pipeline.ports.Embedder`` for what it promises.

    Args:
        api_key: Any text, for endpoints that ask for none.
        base_url: None is OpenAI itself.
        model_name: The model's name at the endpoint.
        dims: Dimensions of its vectors; a reply of other dimensions is refused.
        send_dimensions: Ask the endpoint for ``dims``; only some models can shorten their vectors.
        concurrency: Calls at once at most.
        timeout: Seconds for one try of one call, from its start to the last byte.
        max_inputs: Texts in one call at most.
        max_tokens: Estimated tokens in one call at most; None is the model's own limit.
        max_input_tokens: Tokens in one text at most.
        limiter: The budget that every try of a call keeps to; closed with the embedder.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str | None,
        model_name: str,
        dims: int,
        *,
        send_dimensions: bool = False,
        concurrency: int = 4,
        timeout: float = 60.0,
        max_inputs: int = 256,
        max_tokens: int | None = None,
        max_input_tokens: int = 8_000,
        limiter: Limiter | None = None,
    ) -> None:
        self._model = openai_model(model_name, dims, max_inputs, max_tokens, max_input_tokens)
        self._limiter = limiter or NoLimit()
        dimensions = dims if send_dimensions else omit
        self._sender = Sender(api_key, base_url or DEFAULT_BASE_URL, model_name, dimensions, timeout, self._limiter)
        self._slots = asyncio.Semaphore(concurrency)
        self._loop = LoopThread("openai-embedder")
        self._refused = RefusedCalls()

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this embedder returns."""
        return self._model

    def embed(
        self, calls: Sequence[EmbeddingCall], is_halted: Callable[[], bool] = lambda: False
    ) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """Make the calls and yield each outcome as soon as it is there; see the port.

        Closing the iterator early cancels the calls that are not finished.
        """
        permits = Permits(self._limiter, STAGE_PATIENCE)
        under_way = {self._loop.submit(self._outcome(call, permits, is_halted)): call for call in calls}
        try:
            for future in as_completed(under_way):
                yield _closed(under_way[future]) if future.cancelled() else future.result()
        finally:
            for future in under_way:
                future.cancel()

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query.

        Raises:
            TransientError: The provider does not answer or asks to wait, or the budget is spent.
            MisconfiguredError: The provider refuses the credentials or the model.
            InputRejected: The provider refuses the text.
        """
        call = EmbeddingCall((embed_hash(text),), (text,))
        outcome = self._loop.submit(self._outcome(call, Permits(self._limiter, QUERY_PATIENCE))).result()
        if isinstance(outcome, EmbeddingFault):
            raise outcome.error
        for fault in outcome.faults:
            raise fault.error
        return outcome.vectors[0]

    def close(self) -> None:
        """Cancel what is under way and release connections; safe to call twice."""
        if self._sender.is_open:
            self._loop.submit(self._sender.close()).result()
        self._loop.close()
        self._limiter.close()

    async def _outcome(
        self, call: EmbeddingCall, permits: Permits, is_halted: Callable[[], bool] = lambda: False
    ) -> EmbeddingReply | EmbeddingFault:
        try:
            return await self._bought(call, permits, is_halted)
        except InputRejected as exc:
            self._refused.add(call)
            return EmbeddingFault(call, exc)
        except IngestError as exc:
            return EmbeddingFault(call, exc)

    async def _bought(self, call: EmbeddingCall, permits: Permits, is_halted: Callable[[], bool]) -> EmbeddingReply:
        if call in self._refused:
            raise InputRejected
        async with self._slots:
            if is_halted():  # since it began to wait for its slot
                raise NotBegun
            body = await self._sender.send(call, permits)
        reply = read_reply(call, self._model, body)
        await self._sender.settle(call, reply.tokens)
        return reply


def _closed(call: EmbeddingCall) -> EmbeddingFault:
    return EmbeddingFault(call, ServiceUnavailable(SERVICE, "The embedder was closed during a call; try again."))
