"""A child that the pool has not looked after yet is asked for how it ended, and stays there for the pool."""

from __future__ import annotations

import os
import subprocess
import sys
from signal import SIGABRT, SIGKILL

import pytest

from tasks.requests import _end_of


@pytest.mark.parametrize(
    ("code", "status"),
    [("os.abort()", -SIGABRT), ("os._exit(3)", 3), (f"os.kill(os.getpid(), {int(SIGKILL)})", -SIGKILL), ("", 0)],
)
def test_how_a_child_ended_is_known_before_it_is_waited_for(code: str, status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", f"import os\n{code}"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert _end_of(child.pid) == status
        assert _end_of(child.pid) == status
    assert child.returncode == status
    assert _end_of(child.pid) is None, "nobody knows it any more"


def test_a_child_that_hangs_has_not_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        assert _end_of(child.pid) is None
        child.kill()
    assert _end_of(None) is None
