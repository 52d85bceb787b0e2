"""Keep the stack's processes running until told to stop, then end every one of them.

One thread, no client libraries. The state of the world is published in ``stack.json`` after every change; the lock
that came from `up` is held until the last child is gone. Signals: TERM or INT ends the stack, HUP tries failed
processes again. A stack in which something fails before everything was ready once comes down as a whole.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

from worker.local import children, lifecycle, logs, privileges, processes
from worker.local.children import Child
from worker.local.lifecycle import ChildState, Phase
from worker.local.specs import Launch, decode
from worker.local.state import ChildRecord, Home, StackRecord
from worker.local.urls import masked

log = logging.getLogger("mobius.supervisor")

#: How often a starting or stopping process is looked at (seconds).
_WATCH_SECONDS = 0.02
#: One that takes longer than this is looked at less often (seconds).
_IMPATIENT_SECONDS = 10.0
_SLOW_WATCH_SECONDS = 0.25
#: How often the logs' sizes are looked at (seconds).
_HOUSEKEEPING_SECONDS = 30.0

_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})


class Supervisor:
    """One stack from its launch to its end."""

    def __init__(self, home: Home, launch: Launch) -> None:
        self._home = home
        self._launch = launch
        self._children = [Child(spec, home.log(spec.name)) for spec in launch.table]
        self._phase = Phase.STARTING
        self._outcome = Phase.STOPPED
        self._revivals = 0
        self._published: StackRecord | None = None
        self._me = processes.find(os.getpid()) or processes.Process(os.getpid(), started=0)
        self._boot = processes.boot_id()

    def run(self) -> None:
        """Run until the stack is to end and every child is gone."""
        housekeeping = time.monotonic()
        while self._phase is not Phase.STOPPING or self._alive():
            now = time.monotonic()
            self._note_endings(now)
            if self._phase is Phase.STOPPING:
                self._stop_some(now)
            else:
                self._go_on(now)
            changed = self._publish()
            if now >= housekeeping:
                housekeeping = now + _HOUSEKEEPING_SECONDS
                self._keep_house()
            # One that became ready is what others waited for: look again at once.
            self._wait(0.0 if changed else self._patience(time.monotonic(), housekeeping))
        self._end_strays()
        self._phase = self._outcome
        self._publish()

    def _keep_house(self) -> None:
        if not self._home.lock.exists():  # the home was deleted: nobody could ever find us again
            log.error("home_lost path=%s", self._home.path)
            self._phase = Phase.STOPPING
        for child in self._children:
            try:
                logs.bound(child.log)
            except OSError as exc:  # a full disk must not end the stack
                log.warning("log_not_bounded file=%s error=%s", child.log, exc)

    def _alive(self) -> set[str]:
        return {child.spec.name for child in self._children if child.is_alive}

    def _note_endings(self, now: float) -> None:
        owners = {child.process.pid: child for child in self._children if child.process}
        for pid, code in children.reap():
            if child := owners.get(pid):
                child.ended(code, now, stopping=self._phase is Phase.STOPPING)
                log.info("child_ended name=%s pid=%d code=%d state=%s", child.spec.name, pid, code, child.life.state)
                self._end_orphans()

    def _go_on(self, now: float) -> None:
        lives = {child.spec.name: child.life for child in self._children}
        due = {spec.name for spec in lifecycle.to_start(self._launch.table, lives, self._alive(), now)}
        for child in self._children:
            if child.spec.name in due:
                spec, services = child.spec, self._launch.environment
                child.start(children.environment_of(spec, services, self._home.stack_id), now)
                log.info("child_started name=%s pid=%d", spec.name, child.process.pid if child.process else 0)
            child.look(now)
        if self._phase is Phase.STARTING:
            self._judge_start()

    def _judge_start(self) -> None:
        if any(child.life.state is ChildState.FAILED for child in self._children):
            self._outcome = Phase.FAILED
            self._phase = Phase.STOPPING
        elif lifecycle.is_up({child.spec.name: child.life for child in self._children}):
            self._phase = Phase.RUNNING

    def _stop_some(self, now: float) -> None:
        ending = lifecycle.to_stop(self._launch.table, self._alive())
        for child in self._children:
            if child.spec.name in ending:
                child.ask_to_end(now)
                child.kill_if_overdue(now)
            elif not child.is_alive:
                child.life = lifecycle.ended(child.life, 0, now, one_shot=child.spec.one_shot, stopping=True)

    def _end_orphans(self) -> None:
        """Kill what an ended child left behind: we adopted it, so it is directly below us and not in the table."""
        ours = {child.process.pid for child in self._children if child.process}
        children.kill([p for p in processes.everyone() if p.parent == self._me.pid and p.pid not in ours])

    def _end_strays(self) -> None:
        """Kill everything below us."""
        while strays := processes.descendants([self._me.pid]):
            children.kill(strays)
            list(children.reap())
            time.sleep(_WATCH_SECONDS)

    def _patience(self, now: float, housekeeping: float) -> float:
        waits = [housekeeping - now]
        for child in self._children:
            if child.asked_at is not None or (child.is_alive and child.life.state is ChildState.STARTING):
                waits.append(_WATCH_SECONDS if now - child.life.since < _IMPATIENT_SECONDS else _SLOW_WATCH_SECONDS)
            elif child.life.state is ChildState.RESTARTING:
                waits.append(child.life.retry_at - now)
        if self._phase is Phase.STOPPING:
            waits.append(_WATCH_SECONDS)
        return max(0.001, min(waits))

    def _wait(self, seconds: float) -> None:
        received = signal.sigtimedwait(_SIGNALS, seconds)
        if received is None or received.si_signo == signal.SIGCHLD:
            return
        log.info("signal_received number=%d", received.si_signo)
        if received.si_signo != signal.SIGHUP:
            self._phase = Phase.STOPPING
        elif self._phase is Phase.RUNNING:
            self._revivals += 1
            for child in self._children:
                child.life = lifecycle.revived(child.life)

    def _publish(self) -> bool:
        """Write down what changed, if anything did; tell whether."""
        services = [self._external(name=service.name, url=service.url) for service in self._launch.externals]
        record = StackRecord(
            phase=self._phase,
            boot=self._boot,
            pid=self._me.pid,
            started=self._me.started,
            revivals=self._revivals,
            services_only=self._launch.services_only,
            environment=dict(self._launch.environment),
            children=(*services, *(child.record() for child in self._children)),
        )
        if record == self._published:
            return False
        try:
            self._home.write_record(record)
        except OSError as exc:  # a full disk must not end the stack; it is tried again at the next look
            log.warning("state_not_written error=%s", exc)
            return False
        self._published = record
        return True

    @staticmethod
    def _external(name: str, url: str) -> ChildRecord:
        return ChildRecord(name, ChildState.EXTERNAL, None, 0, masked(url), 0, "", "", 0, 0.0)


def main(path: str, lock: str) -> None:
    """Read the launch from standard input, leave the process that started us, and supervise."""
    text = sys.stdin.read()
    if not text:  # whoever started us died while doing so
        return
    launch = decode(text)
    if os.fork():
        os._exit(0)
    # In no child: a child that outlives us must not keep the stack looking alive.
    os.set_inheritable(int(lock), False)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    privileges.adopt_orphans()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    log.info("supervisor_started pid=%d", os.getpid())
    Supervisor(Home.at(Path(path)), launch).run()
    log.info("supervisor_ended")


if __name__ == "__main__":
    main(*sys.argv[1:])
