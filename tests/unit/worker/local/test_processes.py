import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from worker.local import processes
from worker.local.processes import MARK, Process

SLEEP = (sys.executable, "-I", "-c", "import time; time.sleep(600)")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, env={MARK: "a-test's-own"}) as process:
        yield process
        process.kill()


def found(pid: int) -> Process:
    process = processes.find(pid)
    assert process is not None
    return process


def test_a_process_is_known_by_pid_and_start(sleeper: subprocess.Popen[bytes]) -> None:
    process = found(sleeper.pid)
    assert process.parent == os.getpid()
    assert processes.is_alive(process)
    assert not processes.is_alive(Process(process.pid, process.started - 1))


def test_a_signal_to_a_reused_pid_is_not_sent(sleeper: subprocess.Popen[bytes]) -> None:
    processes.send(Process(sleeper.pid, found(sleeper.pid).started - 1), signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_zombie_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    process = found(sleeper.pid)
    sleeper.kill()
    assert processes.wait_gone([process], 30)
    assert processes.find(sleeper.pid) is None


def test_a_process_is_found_by_its_mark_and_its_arguments(sleeper: subprocess.Popen[bytes]) -> None:
    assert [process.pid for process in processes.marked("a-test's-own")] == [sleeper.pid]
    assert processes.marked("a-test's") == []
    assert processes.has_argument(sleeper.pid, "-I")
    assert not processes.has_argument(sleeper.pid, "I")


def test_descendants_are_found_at_every_depth() -> None:
    code = f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); import time; time.sleep(600)"
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        below = {process.pid for process in processes.descendants([os.getpid()])}
        assert {parent.pid, grandchild} <= below
        assert os.getpid() not in below
        victim, other = found(parent.pid), found(grandchild)
        processes.end({victim: signal.SIGTERM}, 0.2)
        assert processes.wait_gone([victim, other], 30)


def test_what_was_never_there_is_no_process() -> None:
    assert processes.find(2**22 + 1) is None
    processes.send(Process(2**22 + 1, 1), signal.SIGKILL)
