"""Buy the embeddings that nobody has bought yet, each once, and commit every call as soon as it is paid.

Own reservations are bought before others' are waited for, so no two slices can wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from pipeline.embed import halve, pack_calls
from pipeline.errors import IngestError, InputRejected, TransientError
from pipeline.stages import EmbeddingInput
from pipeline.types import Claim, EmbeddingFault, Failure
from tasks.context import Halted, StageContext

#: How long a worker slot waits for embeddings that another slice is buying, before it hands back (s).
PATIENCE = 2.0
_POLL = 0.1
#: Calls that are made at once; a call that waits for its turn among them is not begun once the stage is to stop. Calls
#: in flight are never broken off, for they are paid for; most slices need fewer.
_ROUND = 16


class BeingBoughtElsewhere(TransientError):
    """Another slice is buying the same embeddings; this one continues when they are there."""


def buy_embeddings(
    context: StageContext, claim: Claim, inputs: Mapping[bytes, EmbeddingInput]
) -> tuple[int, list[Failure]]:
    """Return how many inputs were bought, and the documents whose input the provider refuses.

    Raises:
        TransientError: The provider or the store asks to try later, or the run is paused; what was bought is kept.
        MisconfiguredError: The provider refuses the key or the model.
    """
    bought = 0
    rejected: dict[bytes, IngestError] = {}
    wanted = set(inputs)
    deadline = time.monotonic() + PATIENCE
    while wanted:
        if context.is_halted():
            _keep(context, claim, inputs, rejected)
            raise Halted
        reservation = context.ledger.reserve_embeddings(claim, context.embedder.model, sorted(wanted))
        if reservation.mine:
            refused = _buy(context, claim, {key: inputs[key] for key in sorted(reservation.mine)})
            bought += len(reservation.mine) - len(refused)
            rejected |= refused
            deadline = time.monotonic() + PATIENCE
        wanted = set(reservation.others)
        if wanted:
            if time.monotonic() > deadline:
                _keep(context, claim, inputs, rejected)
                raise BeingBoughtElsewhere
            time.sleep(_POLL)
    return bought, _failures(inputs, rejected)


def _buy(context: StageContext, claim: Claim, inputs: Mapping[bytes, EmbeddingInput]) -> dict[bytes, IngestError]:
    """Make the calls for these inputs; return those that were refused, each found by halving its call."""
    packed = pack_calls([(key, wanted.text) for key, wanted in inputs.items()], context.embedder.model)
    rejected: dict[bytes, IngestError] = dict(packed.rejected)
    calls = list(packed.calls)
    while calls:
        if context.is_halted():
            _keep(context, claim, inputs, rejected)
            raise Halted
        faults: list[EmbeddingFault] = []
        batch, calls = calls[:_ROUND], calls[_ROUND:]
        for reply in context.embedder.embed(batch, context.is_halted):
            if isinstance(reply, EmbeddingFault):
                faults.append(reply)
                continue
            faults += reply.faults
            if reply.vectors:
                context.ledger.save_reply(claim, context.embedder.model, reply)
        refusals = [fault for fault in faults if isinstance(fault.error, InputRejected)]
        rejected |= {fault.call.hashes[0]: fault.error for fault in refusals if len(fault.call.hashes) == 1}
        if len(refusals) < len(faults):
            _keep(context, claim, inputs, rejected)
            context.stop_if_halted()
            raise next(fault.error for fault in faults if not isinstance(fault.error, InputRejected))
        calls += [half for fault in refusals if len(fault.call.hashes) > 1 for half in halve(fault.call)]
    return rejected


def _keep(
    context: StageContext,
    claim: Claim,
    inputs: Mapping[bytes, EmbeddingInput],
    rejected: Mapping[bytes, IngestError],
) -> None:
    """Record what was refused before the slice is handed back: refused again, it would use up the budget for ever."""
    if rejected:
        context.ledger.record_rejected(claim, _failures(inputs, rejected))


def _failures(inputs: Mapping[bytes, EmbeddingInput], rejected: Mapping[bytes, IngestError]) -> list[Failure]:
    failed = {
        document: Failure(document, error.code, str(error))
        for embed_hash, error in rejected.items()
        for document in inputs[embed_hash].documents
    }
    return list(failed.values())
