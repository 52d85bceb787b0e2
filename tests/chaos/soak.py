"""One run: a tree that changes, ingestions that overlap, faults from a seeded list; then rest, and the judgement.

First each kind strikes alone, while something is in flight, and its recovery is waited for and measured; then faults
strike as they come. In the end everything is healed, one last ingestion takes in what the tree has become, and what
is there once nothing moves any more is held against the files. No reconciliation runs but after Qdrant has lost what it
had acknowledged, and that one may mend nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from chaos.acts import holds_within
from chaos.commands import Command, make_key, start
from chaos.facts import Breach, Disturbance, Stores, Violation
from chaos.faults import KINDS, LASTING, Kind
from chaos.judge import judge_bill, judge_rest
from chaos.provider import Provider
from chaos.report import Result
from chaos.stack import IN_THE_WAY, Stack
from chaos.trees import SourceTree
from chaos.watch import Onlooker, Recovery, Repeated
from chaos.wish import Wish

#: For a single fault to be recovered from before the next one strikes anyhow (seconds).
_PATIENCE = 90.0
#: Ingestions that run at once at most.
_PRODUCERS = 3


class Soak:
    """The run of one wish."""

    def __init__(self, wish: Wish, stack: Stack, tree: SourceTree, provider: Provider) -> None:
        self._wish = wish
        self._stack = stack
        self._tree = tree
        self._provider = provider
        self._rng = random.Random(wish.seed)
        self._recovery = Recovery(stack)
        self._disturbances: list[Disturbance] = []
        self._producers: list[Command] = []
        self._onlooker = Onlooker(stack, tree, make_key(stack.user_environment), random.Random(wish.seed))
        self._ingestions = 0

    def run(self) -> Result:
        """Let everything strike, and judge."""
        began = time.monotonic()
        with ExitStack() as looking:
            for look in (self._onlooker.look, self._recovery.look):
                looking.callback(Repeated(look).stop)
            self._produce()
            for name in self._wish.singles:
                self._work()
                self._strike(KINDS[name], stay=True)
            for name in self._deck(began + self._wish.seconds):
                self._work()
                self._strike(KINDS[name], stay=False)
                time.sleep(self._rng.uniform(0.5, self._wish.gap))
            violations = self._come_to_rest()
            holds_within(lambda: all(each.recovered_at for each in self._recovery.strikes), 10.0)
        return self._judge(violations, time.monotonic() - began)

    def _deck(self, until: float) -> Iterator[str]:
        """Deal the kinds in a random order, each once before any comes again."""

        def is_over() -> bool:
            return time.monotonic() >= until and len(self._recovery.strikes) >= self._wish.least

        while not is_over():
            for name in self._rng.sample(self._wish.storm, len(self._wish.storm)):
                if is_over():
                    return
                yield name

    def _work(self) -> None:
        """Change the tree and ingest it; return when something is in flight."""
        self._tree.change(self._wish.edits)
        self._produce()
        holds_within(self._recovery.busy, 30.0)
        time.sleep(self._rng.uniform(0.0, 0.5))

    def _produce(self) -> None:
        self._producers = [producer for producer in self._producers if producer.poll() is None]
        if len(self._producers) < _PRODUCERS:
            self._ingestions += 1
            with suppress(*IN_THE_WAY):
                self._producers.append(self._ingest(quiet=True))

    def _ingest(self, *, quiet: bool) -> Command:
        env = self._stack.user_environment
        return start(env, "ingest", str(self._tree.root), "--no-wait", quiet=quiet)

    def _strike(self, kind: Kind, *, stay: bool) -> None:
        strike = self._recovery.strike(kind.name, is_outage=kind.is_outage)
        self._wish.say(f"{kind.name}: {len(strike.in_flight)} slices in flight")
        began = time.monotonic()
        try:
            with kind.strike(self._stack, self._rng):
                time.sleep(kind.lasts)
        except IN_THE_WAY as exc:
            self._wish.say(f"  an earlier fault was in its way: {exc}")
            self._recovery.forget(strike)
            return
        strike.healed_at = time.monotonic()
        time.sleep(0.5)  # the supervisor has noticed by then
        self._stack.wait_until_whole(2 * LASTING)
        if kind.loses_calls:
            self._disturbances.append(Disturbance(kind.name, began, time.monotonic()))
        if stay:
            holds_within(lambda: strike.recovered_at is not None, _PATIENCE)
            self._wish.say(f"  recovered after {strike.recovery} s")

    def _come_to_rest(self) -> list[Violation]:
        """Heal, take in what the tree has become, wait until nothing moves; say what never will."""
        self._wish.say("coming to rest")
        self._stack.wait_until_whole(60.0)
        found = [Violation(Breach.STUCK, f"{name} is not started any more") for name in self._stack.failed()]
        for producer in self._producers:
            producer.wait(self._wish.rest)
        last = self._ingest(quiet=False)
        said, _ = last.communicate(timeout=self._wish.rest)
        if last.returncode != 0:
            found.append(Violation(Breach.STUCK, f"the last ingestion ended with {last.returncode}: {said[-500:]}"))
        mended = self._stack.mended_besides
        found += [Violation(Breach.WRONG, f"{point} was mended, and no fault had harmed it") for point in mended]
        reader = self._stack.reader()
        holds_within(lambda: not reader.open_work(), self._wish.rest)
        return found

    def _judge(self, violations: list[Violation], seconds: float) -> Result:
        files, stores = self._tree.files(), self._stack.reader().at_rest()
        paid_twice, excused = judge_bill(self._provider.payments, self._disturbances)
        found = [*violations, *self._onlooker.violations, *judge_rest(files, stores), *paid_twice]
        return Result(
            seed=self._wish.seed,
            facts=self._facts(seconds, stores, excused),
            strikes=self._recovery.strikes,
            violations=list(dict.fromkeys(found)),
            bound=self._wish.bound,
        )

    def _facts(self, seconds: float, stores: Stores, excused: int) -> dict[str, float]:
        return {
            "s in all": round(seconds),
            "faults": len(self._recovery.strikes),
            "kinds of fault": len({strike.kind for strike in self._recovery.strikes}),
            "files at the start": self._tree.count,
            "edits and deletions": self._tree.edits,
            "ingestions": self._ingestions,
            "documents": len(stores.documents),
            "points": len(stores.points),
            "answers of the search held against the files": self._onlooker.answers,
            "done documents held against the index": self._onlooker.samples,
            "looks that a fault prevented": self._onlooker.refusals,
            "provider calls paid": len(self._provider.payments),
            "texts paid": sum(len(payment.texts) for payment in self._provider.payments),
            "texts bought again because a fault had them in flight": excused,
        }


def soak(wish: Wish) -> Result:
    """Bring up a stack of its own, run, and take it down again."""
    tree = SourceTree(wish.directory / "tree", wish.directory, wish.files, random.Random(wish.seed))
    with Provider(latency=0.5, record=wish.directory / "provider.jsonl") as provider:
        stack = Stack(wish.directory, provider, {"MOBIUS_SLICE_DOCUMENTS": "4", **wish.settings})
        try:
            stack.start()
            return Soak(wish, stack, tree, provider).run()
        finally:
            stack.end()
