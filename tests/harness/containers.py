"""A container with the surface that ``Member`` has; it shares the machine's network, so every address is the same."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from uuid import uuid4

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from harness.members import records_in, wait_until
from harness.servers import RedisClient, free_port, redis_argv


class ContainerMember:
    """One container; it is not made before it is started, so that a test can still change ``env``."""

    celeryconfig: Mapping[str, str] = {}

    def __init__(
        self,
        engine: docker.DockerClient,
        image: str,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        *,
        ready_prompt: str = "",
    ) -> None:
        self.name = name
        self.id = uuid4().hex
        self.env = dict(env)
        self._engine = engine
        self._image = image
        self._argv = argv
        self._ready_prompt = ready_prompt
        self._container: Container | None = None
        self._started_at = 0

    @property
    def status(self) -> str:
        """Return what Docker says of it; a paused one counts as running, like a stopped process."""
        self.reload()
        found = self._container.status if self._container else "created"
        return "running" if found == "paused" else found

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.status == "running"

    def ready(self) -> bool:
        """Wait until it is ready; fail the test if it ends instead."""
        wait_until(lambda: self._is_ready() or not self.is_alive, f"{self.name} is ready")
        assert self.is_alive, self.logs()
        return True

    def _is_ready(self) -> bool:
        return self._ready_prompt in self.logs()[self._started_at :]

    def kill(self, signal: str | int = SIGKILL) -> None:
        """Send a signal, or what stops and wakes all processes of a container; by default end it as a crash would."""
        if self._container is None:
            return
        number = Signals[signal] if isinstance(signal, str) else Signals(signal)
        if number == SIGSTOP:
            self._container.pause()
        elif number == SIGCONT:
            self._container.unpause()
        else:
            self._container.kill(number.value)
        if number == SIGKILL:
            self._container.wait()

    def restart(self, timeout: float = 10) -> None:
        """End it, by force after ``timeout`` seconds; start it and wait until it is ready."""
        self._started_at = len(self.logs())
        if self._container is None:
            self._container = self._engine.containers.run(
                self._image,
                self._argv,
                name=f"mobius-test-{self.name}-{self.id[:12]}",
                environment=self.env,
                network_mode="host",
                init=True,
                detach=True,
            )
        else:
            self._container.restart(timeout=int(timeout))
        self.ready()

    def reload(self) -> None:
        """Ask the engine anew."""
        if self._container is not None:
            self._container.reload()

    def teardown(self) -> None:
        """Remove it, running or not."""
        if self._container is not None:
            with contextlib.suppress(NotFound):
                self._container.remove(force=True)

    def logs(self) -> str:
        """Return all that it ever logged."""
        return self._container.logs().decode(errors="replace") if self._container else ""

    def records(self, event: str) -> list[dict[str, object]]:
        """Return its log records of one event."""
        return records_in(self.logs(), event)


class RedisContainer(RedisClient, ContainerMember):
    """A Redis in a container; its data outlives a crash and a restart, not the container."""

    def __init__(self, engine: docker.DockerClient, image: str) -> None:
        self.port = free_port()
        super().__init__(engine, image, "redis", redis_argv("redis-server", self.port, "/data"), {})

    def _is_ready(self) -> bool:
        return self.answers()
