"""Buy the embeddings that nobody has bought yet, each once, and commit every call as soon as it is paid.

Own reservations are bought before others' are waited for, so no two slices can wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pipeline.embed import first_apart, pack_calls
from pipeline.errors import IngestError, TransientError
from pipeline.stages import EmbeddingInput
from pipeline.types import Claim, EmbeddingCall, EmbeddingFault, Failure
from tasks.context import StageContext
from tasks.refusals import judge, seek_evidence

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
        MisconfiguredError: The provider refuses the key, the model, or everything.
    """
    rejected: dict[bytes, IngestError] = {}
    try:
        bought = _buy_all(context, claim, inputs, rejected)
    except IngestError:
        # Recorded before the slice is handed back: refused again, it would use up the budget for ever.
        if rejected:
            context.ledger.record_rejected(claim, _failures(inputs, rejected))
        raise
    return bought, _failures(inputs, rejected)


def _buy_all(
    context: StageContext, claim: Claim, inputs: Mapping[bytes, EmbeddingInput], rejected: dict[bytes, IngestError]
) -> int:
    """Buy or wait for all that is missing; add to ``rejected`` what the provider refuses."""
    bought = 0
    wanted = set(inputs)
    deadline = time.monotonic() + PATIENCE
    while wanted:
        context.stop_if_halted()
        reservation = context.ledger.reserve_embeddings(claim, context.embedder.model, sorted(wanted))
        if reservation.mine:
            refused = len(rejected)
            _buy(context, claim, {key: inputs[key] for key in sorted(reservation.mine)}, rejected)
            bought += len(reservation.mine) - (len(rejected) - refused)
            deadline = time.monotonic() + PATIENCE
        wanted = set(reservation.others)
        if wanted:
            if time.monotonic() > deadline:
                raise BeingBoughtElsewhere
            time.sleep(_POLL)
    return bought


def _buy(
    context: StageContext, claim: Claim, inputs: Mapping[bytes, EmbeddingInput], rejected: dict[bytes, IngestError]
) -> None:
    """Make the calls for these inputs; add to ``rejected`` those that were refused, each found by halving its call."""
    calls = _calls(context, inputs, rejected)
    while calls:
        context.stop_if_halted()
        size = _ROUND
        if context.suspects.refuses_all:
            # One text is enough to see whether it still does. It may bill what it answers nothing usable to.
            size, calls = 1, [*first_apart(calls[0]), *calls[1:]]
        batch, calls = calls[:size], calls[size:]
        seek_evidence(context, batch)
        judged = judge(context, _faults(context, claim, batch, rejected))
        for fault in judged.refused:
            if len(fault.call.hashes) > 1:
                calls += context.suspects.halve(fault.call)
            else:
                _reject(context, fault, rejected)
        if judged.others:
            context.stop_if_halted()
            raise judged.others[0].error


def _calls(
    context: StageContext, inputs: Mapping[bytes, EmbeddingInput], rejected: dict[bytes, IngestError]
) -> list[EmbeddingCall]:
    """Pack the inputs. Those that were found to be better alone stay alone, and do not hold up others."""
    texts = {key: wanted.text for key, wanted in inputs.items()}
    alone = {key: texts.pop(key) for key in inputs if context.suspects.was_alone(key)}
    packed = pack_calls(texts.items(), context.embedder.model)
    rejected |= packed.rejected
    return context.suspects.arranged([*packed.calls, *(EmbeddingCall((key,), (text,)) for key, text in alone.items())])


def _faults(
    context: StageContext, claim: Claim, batch: Sequence[EmbeddingCall], rejected: dict[bytes, IngestError]
) -> list[EmbeddingFault]:
    """Make the calls at once, commit each reply as it comes, and return what went wrong."""
    faults: list[EmbeddingFault] = []
    for reply in context.embedder.embed(batch, context.is_halted):
        if isinstance(reply, EmbeddingFault):
            faults.append(reply)
        elif reply.vectors:
            context.ledger.save_reply(claim, context.embedder.model, reply)
            context.suspects.note_purchase(reply.call)
            for fault in reply.faults:  # beside good ones, so the provider works
                _reject(context, fault, rejected)
        else:
            faults += reply.faults
    return faults


def _reject(context: StageContext, fault: EmbeddingFault, rejected: dict[bytes, IngestError]) -> None:
    rejected[fault.call.hashes[0]] = fault.error
    # Asked for another time, it is asked for in earnest: the provider may have changed since.
    context.suspects.forget(fault.call)


def _failures(inputs: Mapping[bytes, EmbeddingInput], rejected: Mapping[bytes, IngestError]) -> list[Failure]:
    failed = {
        document: Failure(document, error.code, str(error))
        for embed_hash, error in rejected.items()
        for document in inputs[embed_hash].documents
    }
    return list(failed.values())
