"""Send calls to an OpenAI-compatible endpoint, each try of them within the budget that all processes share.

Only faults of the moment (no connection, 5xx) are tried again here, within seconds. A 429 goes to the caller at once
with the time that the provider asks for, and until then no further call is sent from this process, nor from any other
that shares the limiter.
"""

from __future__ import annotations

import asyncio
import time

from openai import APIStatusError, AsyncOpenAI, Omit, OpenAIError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipeline.embed import BYTES_PER_TOKEN, estimate_tokens
from pipeline.errors import RateLimited
from pipeline.ports import Limiter
from pipeline.types import EmbeddingCall
from worker.adapters.openai_errors import UnusableEndpoint, is_passing, translated
from worker.adapters.openai_reply import SERVICE
from worker.adapters.permits import Permits

#: Tries of one call, and the longest wait between two of them in seconds.
_TRIES = 3
_LONGEST_WAIT = 4.0


class Sender:
    """One model at one endpoint. Everything but the constructor runs on one event loop.

    ``dimensions`` are sent along unless omitted; ``timeout`` are seconds for one try of one call, from its start to
    the last byte.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        model_name: str,
        dimensions: int | Omit,
        timeout: float,
        limiter: Limiter,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._model_name = model_name
        self._dimensions = dimensions
        self._timeout = timeout
        self._limiter = limiter
        self._client: AsyncOpenAI | None = None
        self._quiet_until = 0.0  # monotonic seconds

    @property
    def is_open(self) -> bool:
        """Whether it holds connections."""
        return self._client is not None

    async def send(self, call: EmbeddingCall, permits: Permits) -> bytes:
        """Return the body of the provider's answer.

        Raises:
            RateLimited: The provider or the budget asks to wait; it has the status of a try before that failed.
            IngestError: Whatever else ``openai_errors`` makes of a failure.
        """
        failed: list[int] = []

        def note(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            failed.extend([error.status_code] if isinstance(error, APIStatusError) else [])

        quick = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_WAIT),
            retry=retry_if_exception(is_passing),
            before_sleep=note,
            reraise=True,
        )
        try:
            body: bytes = await quick(self._try, call, permits)
        # A ValueError is the client's as well: of a key that fits into no request.
        except (OpenAIError, TimeoutError, ValueError) as exc:
            error = translated(exc)
            if isinstance(error, RateLimited):
                self._quiet_until = time.monotonic() + error.retry_after
                await asyncio.to_thread(self._limiter.pause, error.retry_after)
            raise error from exc
        except RateLimited as exc:
            # A tight budget never gives a call its third try, and what the first one showed must not be lost.
            raise RateLimited(exc.retry_after, str(exc), failed[-1] if failed else None) from exc
        return body

    async def settle(self, call: EmbeddingCall, actual: int) -> None:
        """Tell the budget how many tokens a call that was answered really had."""
        estimated = _estimate(call)
        # A token has a byte at least; a higher count is nonsense, and would stop everybody for it.
        actual = min(actual, estimated * BYTES_PER_TOKEN)
        await asyncio.to_thread(self._limiter.settle, estimated, actual)

    async def close(self) -> None:
        """Release connections; safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _try(self, call: EmbeddingCall, permits: Permits) -> bytes:
        self._check_quiet()
        client = self._opened()  # before the permit, for the first time takes a while
        await permits.take(_estimate(call))
        self._check_quiet()  # another call may have met a 429 while this one waited for its turn
        return await self._post(client, call)

    def _check_quiet(self) -> None:
        # What is still queued behind a 429 would only earn more of them.
        remaining = self._quiet_until - time.monotonic()
        if remaining > 0:
            raise RateLimited(remaining, f"{SERVICE} asked for fewer requests a moment ago.")

    def _opened(self) -> AsyncOpenAI:
        if self._client is None:
            # Built on the loop's thread; the client's own retries would hide a 429 and wait for minutes.
            try:
                self._client = AsyncOpenAI(
                    api_key=self._api_key, base_url=self._base_url, max_retries=0, timeout=self._timeout
                )
            except Exception as exc:  # which, depends on the HTTP library that the client finds
                raise UnusableEndpoint from exc
        return self._client

    async def _post(self, client: AsyncOpenAI, call: EmbeddingCall) -> bytes:
        async with asyncio.timeout(self._timeout):
            # The raw answer, because the client's own parser believes what it reads.
            answer = await client.embeddings.with_raw_response.create(
                model=self._model_name,
                input=list(call.inputs),
                encoding_format="base64",
                dimensions=self._dimensions,
            )
        return answer.content


def _estimate(call: EmbeddingCall) -> int:
    return sum(map(estimate_tokens, call.inputs))
