"""Decide whether texts can be embedded, without sending any."""

from __future__ import annotations

from dataclasses import dataclass

from worker.doctor.findings import Finding, Silence, ok, problem, warning

_NOTE = "no text was sent, so quota and dimensions are not checked"


@dataclass(frozen=True, slots=True)
class ProviderSeen:
    """How the provider answered a request for its list of models. ``models``: None where it sent no list."""

    address: str
    status: int
    models: frozenset[str] | None


def judge(seen: ProviderSeen | Silence | None, model: str) -> Finding:
    """Judge the embedder; None: it is the local one."""
    name = "embedder"
    if seen is None:
        return ok(name, "lexical, the local one; nothing leaves this machine")
    if isinstance(seen, Silence):
        return problem(name, seen.found, seen.advice)
    if seen.status in {401, 403}:
        return problem(name, f"{seen.address} refuses the key", "set the right OPENAI_API_KEY and restart the workers.")
    return _judge_answer(name, seen, model)


def _judge_answer(name: str, seen: ProviderSeen, model: str) -> Finding:
    found = f"{seen.address} answers with status {seen.status}"
    if seen.status >= 500 or seen.status == 429:
        return warning(name, found, "look at the provider's status page; slices wait until it works again.")
    if seen.models is None:
        return ok(name, f"{found} but lists no models: neither key nor model is checked; {_NOTE}")
    if model not in seen.models:
        return warning(
            name,
            f"{seen.address} takes the key, but does not list {model}",
            "check MOBIUS_OPENAI_MODEL; some endpoints do not list all that they serve.",
        )
    return ok(name, f"{seen.address} takes the key and serves {model}; {_NOTE}")
