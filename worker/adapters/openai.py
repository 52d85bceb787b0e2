"""Buy vectors from any OpenAI-compatible endpoint: several calls at once, each paid for once.

The calls of one ``embed`` run on an event loop in a thread of their own, and each reply is handed over as it
arrives, so that the caller can commit it before the next one. Only faults of the moment (no connection, 5xx) are
tried again here, within seconds. A 429 goes to the caller at once with the time that the provider asks for, and until
then no further call is sent from this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed

from openai import AsyncOpenAI, OpenAIError, omit
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipeline.errors import IngestError, RateLimited, ServiceUnavailable
from pipeline.identity import embed_hash
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector
from worker.adapters.known_models import openai_model
from worker.adapters.loop_thread import LoopThread
from worker.adapters.openai_errors import is_passing, translated
from worker.adapters.openai_reply import SERVICE, read_reply

#: Where calls go unless another base URL is given. Said here so that the client does not ask the environment.
DEFAULT_BASE_URL = "https://api.openai.com/v1"

#: Tries of one call, and the longest wait between two of them in seconds.
_TRIES = 3
_LONGEST_WAIT = 4.0

_Outcome = EmbeddingReply | EmbeddingFault


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
    ) -> None:
        self._model = openai_model(model_name, dims, max_inputs)
        self._api_key = api_key
        self._base_url = base_url or DEFAULT_BASE_URL
        self._dimensions = dims if send_dimensions else omit
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._loop = LoopThread("openai-embedder")
        self._client: AsyncOpenAI | None = None
        self._quiet_until = 0.0  # monotonic seconds

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this embedder returns."""
        return self._model

    def embed(self, calls: Sequence[EmbeddingCall]) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """Make the calls and yield each outcome as soon as it is there; see the port.

        Closing the iterator early cancels the calls that are not finished.
        """
        under_way = {self._loop.submit(self._outcome(call)): call for call in calls}
        try:
            for future in as_completed(under_way):
                yield _closed(under_way[future]) if future.cancelled() else future.result()
        finally:
            for future in under_way:
                future.cancel()

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query.

        Raises:
            TransientError: The provider does not answer or asks to wait.
            MisconfiguredError: The provider refuses the credentials or the model.
            InputRejected: The provider refuses the text.
        """
        outcome = self._loop.submit(self._outcome(EmbeddingCall((embed_hash(text),), (text,)))).result()
        if isinstance(outcome, EmbeddingFault):
            raise outcome.error
        return outcome.vectors[0]

    def close(self) -> None:
        """Cancel what is under way and release connections; safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            self._loop.submit(client.close()).result()
        self._loop.close()

    async def _outcome(self, call: EmbeddingCall) -> _Outcome:
        quick = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_WAIT),
            retry=retry_if_exception(is_passing),
            reraise=True,
        )
        try:
            async with self._slots:
                self._check_quiet()
                body: bytes = await quick(self._post, call)
            return read_reply(call, self._model, body)
        except IngestError as exc:
            return EmbeddingFault(call, exc)
        except (OpenAIError, TimeoutError) as exc:
            error = translated(exc)
            error.__cause__ = exc
            if isinstance(error, RateLimited):
                self._quiet_until = time.monotonic() + error.retry_after
            return EmbeddingFault(call, error)

    def _check_quiet(self) -> None:
        # What is still queued behind a 429 would only earn more of them.
        remaining = self._quiet_until - time.monotonic()
        if remaining > 0:
            raise RateLimited(remaining, f"{SERVICE} asked for fewer requests a moment ago.")

    async def _post(self, call: EmbeddingCall) -> bytes:
        if self._client is None:
            # Built on the loop's thread; the client's own retries would hide a 429 and wait for minutes.
            self._client = AsyncOpenAI(
                api_key=self._api_key, base_url=self._base_url, max_retries=0, timeout=self._timeout
            )
        async with asyncio.timeout(self._timeout):
            # The raw answer, because the client's own parser believes what it reads.
            answer = await self._client.embeddings.with_raw_response.create(
                model=self._model.name,
                input=list(call.inputs),
                encoding_format="base64",
                dimensions=self._dimensions,
            )
        return answer.content


def _closed(call: EmbeddingCall) -> EmbeddingFault:
    return EmbeddingFault(call, ServiceUnavailable(SERVICE, "The embedder was closed during a call; try again."))
