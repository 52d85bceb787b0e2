import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from worker.local import privileges
from worker.local.errors import StackError
from worker.local.specs import RunAs

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.mark.parametrize("run_as", [None, RunAs(1, 2), RunAs(1, 2, (1, 2))])
def test_whom_to_run_as_survives_json(run_as: RunAs | None) -> None:
    assert privileges.decode(json.dumps(asdict(run_as) if run_as else None)) == run_as


@as_root
def test_a_server_belongs_to_nobody_or_to_whom_its_data_belongs(tmp_path: Path) -> None:
    unprivileged = privileges.server_user(tmp_path / "absent")
    assert unprivileged is not None
    assert unprivileged.uid != 0
    os.chown(tmp_path, 1, 1)  # daemon: an account that every system has
    owner = privileges.server_user(tmp_path)
    assert owner is not None
    assert owner.uid == 1


@as_root
def test_a_user_without_an_account_is_refused_with_a_way_out(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, 54321)
    with pytest.raises(StackError, match=r"54321.*DATABASE_URL"):
        privileges.server_user(tmp_path)


@as_root
def test_what_works_under_no_privilege_is_refused_with_its_reason_and_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"No such file.*DATABASE_URL"):
        privileges.with_access(RunAs(65534, 65534), ("/nonexistent/program",), tmp_path)


@as_root
def test_a_closed_directory_is_entered_with_one_capability_and_without_groups(tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "inner"
    closed.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    code = (
        "import os\n"
        "s = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)\n"
        "assert os.getresuid() == (65534,) * 3 and os.getgroups() == [], s\n"
        "assert bin(int(s['CapEff'], 16)).count('1') == 1, s"
    )
    found = privileges.with_access(RunAs(65534, 65534), (sys.executable, "-I", "-c", code), closed)
    assert len(found.capabilities) == 1
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700


@as_root
def test_a_program_behind_a_closed_directory_counts_as_executable(tmp_path: Path) -> None:
    """PostgreSQL asks access(2) before it runs its own programs, not only the kernel when it does."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    run_as = privileges.with_access(
        RunAs(privileges.NOBODY, privileges.NOBODY), ("/usr/bin/test", "-x", str(program)), closed
    )
    assert run_as.capabilities
