"""pytest-celery's cluster over our own Redis and workers: as processes everywhere, as containers where they can run.

The plugin's own fixtures for broker, backend and worker pull images and build some; these here replace them. The
summary says what the clusters ran as, and why not as containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from celery import Celery, current_app
from harness.containers import RedisContainer
from harness.engines import Containers, Engine, Processes, why_no_containers
from harness.fleet import ALL_QUEUES
from harness.servers import RedisServer
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestBroker,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

#: What an upgrade of Celery or kombu has broken if workers do not outlive it.
UPGRADE_GATE = (
    f"celery {version('celery')} with kombu {version('kombu')} does not outlive a restart of Redis under a worker that"
    " holds a message. celery 5.7.0 exits there (since celery/celery#10242, which closes a channel that is detached"
    " already); earlier ones went on and took no messages (celery/celery#8030, #9054, #10205). Keep celery 5.6.3 with"
    " kombu 5.7.0"
)


def engines() -> dict[str, type[Processes | Containers]]:
    """Return what clusters can run as on this machine; asking costs a moment, so only their tests ask."""
    always: dict[str, type[Processes | Containers]] = {"processes": Processes}
    return always if why_no_containers() else {**always, "containers": Containers}


@pytest.fixture
def workers() -> dict[str, str]:
    """The workers of the cluster and their queues; a test that needs others parametrises this."""
    return {"one": ALL_QUEUES, "two": ALL_QUEUES}


@pytest.fixture
def celery_broker_cluster(redis_server: RedisServer | RedisContainer) -> CeleryBrokerCluster:
    """The test's own Redis."""
    return CeleryBrokerCluster(CeleryTestBroker(redis_server))


@pytest.fixture
def celery_backend_cluster(redis_server: RedisServer | RedisContainer) -> CeleryBackendCluster:
    """The same Redis: what kills the broker kills the results."""
    return CeleryBackendCluster(CeleryTestBackend(redis_server))


@pytest.fixture
def celery_worker_cluster(
    engine: Engine, workers: dict[str, str], environment: dict[str, str], tmp_path: Path
) -> Iterator[CeleryWorkerCluster]:
    """Our own workers, none of them started: a test starts each with ``restart`` when its story needs it."""
    members = [engine.worker(name, queues, environment, tmp_path) for name, queues in workers.items()]
    yield CeleryWorkerCluster(*(CeleryTestWorker(member, app=None) for member in members))
    for member in members:
        member.teardown()


@pytest.fixture(autouse=True, scope="session")
def plain_celery() -> Iterator[Celery]:
    """An application without settings, to which shared tasks belong here.

    Importing ``worker.app``, as some tests do, makes that the current one; it wants addresses as soon as it is used.
    """
    made = Celery("tests", set_as_current=False)
    made.set_current()
    yield made
    made.close()


@pytest.fixture
def celery_setup_app(celery_setup_config: dict[str, str], celery_setup_name: str) -> Iterator[Celery]:
    """A client of the cluster, which is nobody's current app when the test is over."""
    before = current_app._get_current_object()
    made = Celery(celery_setup_name, set_as_current=False)
    made.config_from_object(celery_setup_config)
    yield made
    made.close()
    before.set_current()
