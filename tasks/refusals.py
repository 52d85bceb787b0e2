"""Decide which faults of a round of calls are the texts' own: no text is given up without evidence that others work.

A provider that refuses a text, or answers that it failed at it, may just as well be set up wrong or be out of order. So
something else must have been bought since. Where nothing was, a harmless text is asked for. See ADR 18.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.errors import InputRejected, MisconfiguredError, TransientError
from pipeline.types import EmbeddingCall, EmbeddingFault
from tasks.context import StageContext

#: No provider has a reason to refuse it.
HARMLESS = "Is this text embedded?"


class EverythingRefused(MisconfiguredError):
    """The embedding provider refuses every text, a harmless one too; check OPENAI_API_KEY, model and base URL."""


@dataclass(frozen=True, slots=True)
class Judged:
    """``refused``: split their calls, or give their only text up. ``others``: try again later."""

    refused: list[EmbeddingFault] = field(default_factory=list)
    others: list[EmbeddingFault] = field(default_factory=list)


def seek_evidence(context: StageContext, batch: Sequence[EmbeddingCall]) -> None:
    """Find out whether the provider works at all, if nothing in the batch is going to tell.

    Before the calls, not after: where a budget lets one call pass at a time, a suspect would always use it up.

    Raises:
        MisconfiguredError: The provider refuses the key or the model.
    """
    suspects = context.suspects
    if all(call in suspects for call in batch) and any(map(suspects.lacks_evidence, batch)):
        # Without evidence what fails now does not count. It is sent all the same, for it may work by now.
        with suppress(TransientError, EverythingRefused):
            _ask_for_harmless(context)


def judge(context: StageContext, faults: Sequence[EmbeddingFault]) -> Judged:
    """Tell refusals from trouble of the moment.

    Raises:
        EverythingRefused: The provider refuses a harmless text as well.
        MisconfiguredError: It refuses the key or the model.
        TransientError: That cannot be found out now.
    """
    judged = Judged()
    for fault in faults:
        if isinstance(fault.error, InputRejected):
            context.suspects.note_refusal(fault.call)
            judged.refused.append(fault)
        elif _is_guilty(context, fault):
            judged.refused.append(EmbeddingFault(fault.call, _always_fails(fault)))
        else:
            judged.others.append(fault)
    refusals = (fault.call for fault in faults if isinstance(fault.error, InputRejected))
    if any(context.suspects.lacks_evidence(call) for call in refusals):
        _ask_for_harmless(context)
    return judged


def _is_guilty(context: StageContext, fault: EmbeddingFault) -> bool:
    # Without an answer it is the service that is away, whatever it was asked for.
    has_answered = isinstance(fault.error, TransientError) and fault.error.status is not None
    return has_answered and context.suspects.note_failure(fault.call)


def _always_fails(fault: EmbeddingFault) -> InputRejected:
    status = fault.error.status if isinstance(fault.error, TransientError) else None
    return InputRejected(
        f"The embedding provider answers with status {status} whenever it gets a chunk of this file, and works else; "
        "see its log, lower MOBIUS_OPENAI_MAX_INPUT_TOKENS if the chunk is too long for it, or exclude the file."
    )


def _ask_for_harmless(context: StageContext) -> None:
    try:
        context.embedder.embed_query(HARMLESS)
    except InputRejected as exc:
        context.suspects.note_harmless_refused()
        raise EverythingRefused from exc
    context.suspects.note_purchase()
