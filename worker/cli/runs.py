"""``mobius runs``: the list, one run in full, and what may be done to a run."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from worker.cli import control, queries

_SHOW = "show"


class _ShowsByDefault(TyperGroup):
    """Takes ``mobius runs`` and ``mobius runs RUN_ID`` for ``mobius runs show``, which is what they always were."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if not args or (args[0] not in self.commands and args[0] not in {"--help", "-h"}):
            args = [_SHOW, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowsByDefault,
    help="List the latest runs, or report one (`mobius runs RUN_ID [--watch]`); cancel, pause and resume runs.",
)
app.command(_SHOW)(queries.runs)
app.command()(control.cancel)
app.command()(control.pause)
app.command()(control.resume)
