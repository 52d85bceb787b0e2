"""``mobius api``: serve the status API."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.opening import open_settings

#: Where the API listens when nobody says where.
DEFAULT_PORT = 8_000


def api(
    host: Annotated[str | None, typer.Option(help="Where to listen; default: MOBIUS_API_HOST.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help=f"Its port; default: MOBIUS_API_PORT or {DEFAULT_PORT}; 0: any free one."),
    ] = None,
) -> None:
    """Serve the status API until it is interrupted."""
    from worker.api.server import serve  # noqa: PLC0415  FastAPI takes half a second to import
    from worker.observability.logs import configure_logs  # noqa: PLC0415  structlog, too

    settings = open_settings()
    configure_logs(settings.log_level, settings.log_format)
    wanted = settings.api_port or DEFAULT_PORT if port is None else port
    serve(settings, host or settings.api_host, wanted)
