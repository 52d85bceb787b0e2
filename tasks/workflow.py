"""Send slices to the workers as Celery chains, and take on what a producer plans.

The command line, the API and the dispatcher call this module; it holds no connection of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from celery import Celery, chain
from kombu.exceptions import OperationalError

from pipeline.errors import ServiceUnavailable
from pipeline.ports import Ledger
from pipeline.types import Stage, Token
from pipeline.versions import MESSAGE_VERSION
from pipeline.work import Swept
from tasks.base import StagePolicy
from tasks.queues import VERSION_HEADER, task_name

log = structlog.get_logger(__name__)


def send(app: Celery, token: Token) -> None:
    """Publish the slice's remaining stages as one chain; each link carries the token it will find current.

    Raises:
        ServiceUnavailable: Redis does not answer.
    """
    links = []
    for offset, stage in enumerate(token.stage.following()):
        link = Token(token.slice_id, stage, token.seq + offset)
        links.append(
            app.signature(
                task_name(stage),
                args=(str(link.slice_id), stage.value, link.seq),
                immutable=True,
                options={
                    "task_id": link.task_id,
                    "queue": stage.value,
                    "headers": {VERSION_HEADER: MESSAGE_VERSION},
                },
            )
        )
    try:
        (chain(*links, app=app) if len(links) > 1 else links[0]).apply_async()
    except OperationalError as exc:
        raise ServiceUnavailable("Redis") from exc


def queue_depth(app: Celery) -> int:
    """Return how many messages wait in the stages' queues.

    Raises:
        ServiceUnavailable: Redis does not answer.
    """
    with app.producer_or_acquire() as producer:
        connection = producer.connection
        try:
            # A channel that opens by itself would wait for Redis for ever.
            connection.ensure_connection(**app.conf.task_publish_retry_policy)
            channel = connection.default_channel
            return sum(channel.queue_declare(stage.value).message_count for stage in Stage)
        except (OperationalError, *connection.connection_errors, *connection.channel_errors) as exc:
            raise ServiceUnavailable("Redis") from exc


def dispatch(app: Celery, ledger: Ledger, policy: StagePolicy, *, oldest_first: bool) -> int:
    """Send ready slices within the window and return how many; what cannot be sent is ready again.

    The window holds for the messages at the broker too: those that workers have not looked at for so long that their
    slices were brought back are stale, but they are there.

    Raises:
        ServiceUnavailable: Postgres or Redis does not answer.
    """
    queued = queue_depth(app)
    tokens = ledger.take_ready(policy.dispatch_window, oldest_first=oldest_first, queued=queued)
    sent = 0
    try:
        for token in tokens:
            send(app, token)
            sent += 1
            log.debug("slice_dispatched", slice_id=str(token.slice_id), stage=token.stage.value, seq=token.seq)
    finally:
        _put_back(ledger, tokens[sent:])
    return sent


def sweep(ledger: Ledger, policy: StagePolicy) -> Swept:
    """Bring back what was lost, and say so in the log.

    Raises:
        ServiceUnavailable: Postgres does not answer.
    """
    swept = ledger.sweep(policy.dispatch_timeout_seconds)
    if swept:
        log.warning(
            "slices_brought_back",
            expired=swept.expired,
            never_started=swept.never_started,
            split=swept.split,
            given_up=swept.given_up,
            interrupted_plans=swept.interrupted_plans,
        )
    return swept


def _put_back(ledger: Ledger, tokens: Iterable[Token]) -> None:
    for token in tokens:
        ledger.put_back(token)
