"""Name the hot spots: the stages of limit and pipeline in one process each, one after the other, under cProfile.

Times of the main thread are wall time, so that waiting for a server is seen as well; those of the embedding client's
own thread are CPU time. What Celery does around a stage is not in here: it is what the measured cases show as CPU
time of the workers beyond that of their stages.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.clock import Clock
from benchmarks.pipeline import CHECKOUT

#: Functions that are named per stage.
_NAMED = 12
#: Where the calls to the provider are made and answered.
_CLIENT = "embed, client's thread"


@dataclass(frozen=True, slots=True)
class Spot:
    """A function: where it is, how often it was called, seconds without and with what it calls."""

    name: str
    calls: int
    own: float
    cumulative: float


@dataclass(frozen=True, slots=True)
class StageProfile:
    """Where a stage's seconds went: functions of anybody by own time, and ours by cumulative time."""

    stage: str
    seconds: float
    own: list[Spot]
    cumulative: list[Spot]


class Profiles(Clock):
    """A clock that profiles instead; ``with profiles("parse"):``."""

    def __init__(self) -> None:
        super().__init__()
        self._profiles: dict[str, cProfile.Profile] = {}
        self._clients: list[cProfile.Profile] = []
        # From Python 3.12 on a profile sees all threads, and there can be only one.
        if sys.version_info < (3, 12):
            threading.setprofile(self._follow)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Profile the block."""
        profile = self._profiles.setdefault(stage, cProfile.Profile())
        profile.enable()
        try:
            yield
        finally:
            profile.disable()

    def forget(self) -> None:
        """Start anew."""
        self._profiles.clear()

    def results(self) -> list[StageProfile]:
        """Return what was found, by stage; all other threads must have ended."""
        threading.setprofile(None)
        found = [_stage(stage, pstats.Stats(profile)) for stage, profile in self._profiles.items()]
        clients = [profile for profile in self._clients if profile.getstats()]
        return [*found, _stage(_CLIENT, pstats.Stats(*clients))] if clients else found

    def _follow(self, *_: object) -> None:
        profile = cProfile.Profile(time.thread_time)
        self._clients.append(profile)
        profile.enable()


def warm_and_run(take_in: Callable[[Path], object], tree: Path, profiles: Profiles) -> None:
    """Take a tiny tree in, so that imports and connections are not seen, and then the tree."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "warm.py").write_text("def warm():\n    return True\n")
        take_in(Path(place))
    profiles.forget()
    take_in(tree)


def text_of(side: str, stages: Sequence[Mapping[str, Any]]) -> str:
    """Return one side's profile for people."""
    lines = [f"Profile of {side}"]
    for stage in stages:
        lines += ["", f"{side}, {stage['stage']}: {stage['seconds']:.2f} s", "   own s  with calls     calls  function"]
        lines += [_line(spot) for spot in stage["own"]]
        lines += ["     of our functions, by the time with all that they call:"]
        lines += [_line(spot) for spot in stage["cumulative"]]
    return "\n".join(lines)


def _line(spot: Mapping[str, Any]) -> str:
    return f"{spot['own']:8.3f} {spot['cumulative']:11.3f} {spot['calls']:9,}  {spot['name']}"


def _stage(stage: str, stats: pstats.Stats) -> StageProfile:
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats  # type: ignore[attr-defined]
    spots = [
        (where, Spot(_name(*where), calls, round(own, 3), round(cumulative, 3)))
        for where, (_, calls, own, cumulative, _) in entries.items()
    ]
    ours = [spot for (file, _, _), spot in spots if file.startswith(str(CHECKOUT)) and "/.venv/" not in file]
    own_first = sorted((spot for _, spot in spots), key=lambda spot: -spot.own)[:_NAMED]
    total = sum(own for _, _, own, _, _ in entries.values())
    return StageProfile(stage, round(total, 3), own_first, sorted(ours, key=lambda spot: -spot.cumulative)[:_NAMED])


def _name(file: str, line: int, function: str) -> str:
    if file == "~":
        return function
    path = Path(file)
    if path.is_relative_to(CHECKOUT) and ".venv" not in path.parts:
        return f"{path.relative_to(CHECKOUT)}:{line} {function}"
    return f"{'/'.join(path.parts[-2:])}:{line} {function}"


def main(profiled: Callable[[Path, Profiles], None]) -> None:
    """Profile one side over the tree that the command line names, and print what was found as JSON."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tree", type=Path)
    profiles = Profiles()
    profiled(arguments.parse_args().tree, profiles)
    print(json.dumps([asdict(stage) for stage in profiles.results()]))
