"""The local stack on real processes: real servers where servers matter, small scripts where only process life does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import redis

from worker import local
from worker.local import ChildSpec, ChildState, Probe, ProbeKind, StackError, probes, processes, specs
from worker.local.state import Home, StackRecord

ROOT = Path(__file__).resolve().parents[2]
ALIVE = Probe(ProbeKind.ALIVE)
FOREVER = "import time; time.sleep(600)"
NEVER_READY = Probe(ProbeKind.LOG, text="no such line", seconds=600)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about what only root can do or must not do")


def stand_in(name: str, code: str, probe: Probe = ALIVE, **more: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-I", "-c", code), probe, **more)  # test's own


def eventually(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)


@dataclass
class Stack:
    """One home and what a test does with it; services are stand-ins unless ``environ`` is empty."""

    home: Path
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)

    def up(self, *table: ChildSpec, **more: object) -> local.StackStatus:
        return local.up(self.home, self.environ, report=self.said.append, table=table, **more)

    def down(self) -> bool:
        return local.down(self.home, report=self.said.append)

    def child(self, name: str) -> tuple[ChildState, int, int]:
        """Return a child's state, pid and restarts; not by `status`, which asks external services every time."""
        found = next(child for child in self.record().children if child.name == name)
        return found.state, found.pid or 0, found.restarts

    def record(self) -> StackRecord:
        record = Home.at(self.home).read_record()
        assert record is not None
        return record

    def supervisor(self) -> processes.Process:
        return processes.Process(self.record().pid, self.record().started)

    def marked(self) -> list[processes.Process]:
        return processes.marked(Home.at(self.home).stack_id)

    def elsewhere(self, *table: ChildSpec) -> subprocess.Popen[str]:
        """Call `up` in a process of its own."""
        code = (
            "import os, sys; from pathlib import Path; from worker.local import up, specs, StackError\n"
            "try: up(Path(sys.argv[1]), os.environ, report=print, table=specs.decode(sys.argv[2]).table)\n"
            "except StackError as exc: sys.exit(str(exc))"
        )
        argv = (sys.executable, "-c", code, str(self.home), specs.encode(specs.Launch(tuple(table), {})))
        environ = {**os.environ, **self.environ}
        return subprocess.Popen(argv, cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Stack]:
    """A stack with real servers."""
    stack = Stack(tmp_path / "hö 'me\"", {"PATH": os.environ["PATH"]})
    yield stack
    stack.down()
    assert stack.marked() == []


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose services are external: a socket that listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        urls = {
            "DATABASE_URL": f"postgresql://me:hush@{place}/db",
            "REDIS_URL": f"redis://:hush@{place}/0",
            "QDRANT_URL": f"http://{place}",
        }
        stack = Stack(tmp_path / "home", {"PATH": os.environ["PATH"], **urls})
        yield stack
        stack.down()
        assert stack.marked() == []


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_services_serve_and_keep_their_data_over_a_restart(services: Stack) -> None:
    assert services.up().is_ready
    found = local.service_environment(services.home)
    query(found["DATABASE_URL"], "CREATE EXTENSION vector")
    query(found["DATABASE_URL"], "CREATE TABLE kept AS SELECT '[1,2]'::vector AS v")
    assert query(found["DATABASE_URL"], "SELECT current_database(), current_setting('fsync')") == [("mobius", "on")]
    with redis.Redis.from_url(found["REDIS_URL"]) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.set("kept", "yes")
    assert probes.answers(found["QDRANT_URL"])
    assert services.up().children == local.status(services.home).children  # the same processes, found again
    assert services.down()
    assert local.service_environment(services.home) == {}
    assert not services.down()

    services.up()
    assert local.service_environment(services.home) == found  # the same ports and passwords
    assert query(found["DATABASE_URL"], "SELECT v::text FROM kept") == [("[1,2]",)]
    with redis.Redis.from_url(found["REDIS_URL"]) as client:
        assert client.get("kept") == b"yes"


def test_servers_ask_for_passwords_and_files_are_for_the_owner_alone(services: Stack) -> None:
    services.up()
    found = local.service_environment(services.home)
    shown = repr(local.status(services.home))
    for name in ("postgres", "redis", "qdrant"):
        assert Home.at(services.home).secret(name) not in shown
    with pytest.raises(psycopg.OperationalError):
        query(found["DATABASE_URL"].replace("mobius:", "mobius:wrong"), "SELECT 1")
    wrong = found["REDIS_URL"].replace(Home.at(services.home).secret("redis"), "wrong")
    with redis.Redis.from_url(wrong) as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()
    for path in (services.home, *services.home.glob("*"), *services.home.glob("logs/*")):
        assert path.lstat().st_mode & 0o077 == 0, path


@as_root
def test_as_root_postgres_runs_as_somebody_else_behind_a_closed_directory(services: Stack) -> None:
    assert services.home.parent.stat().st_mode & 0o077 == 0  # pytest's own directory is root's alone
    services.up()
    _, pid, _ = services.child("postgres")
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert set(facts["Uid"].split()) == {"65534"}
    assert facts["Groups"].strip() == ""
    # One capability is what it takes to pass the closed directories: bit 2 or, where that is withheld, bit 1.
    assert int(facts["CapPrm"], 16) in (1 << 2, 1 << 1)
    assert services.home.parent.stat().st_mode & 0o077 == 0


@as_root
def test_a_stack_runs_without_being_root(tmp_path: Path) -> None:
    ours = tmp_path / "of-nobody"
    ours.mkdir()
    os.chown(ours, 65534, 65534)
    code = (
        "import os; from pathlib import Path; from worker.local import up, down\n"
        "assert os.geteuid() == 65534\n"
        "home = Path('home').resolve()\n"
        "try: print(up(home, os.environ, report=print, table=()).is_ready)\n"
        "finally: down(home, report=print)"
    )
    # It may read the interpreter and our sources wherever they lie (bit 2), and write nowhere but in its directory.
    who = '{"uid": 65534, "gid": 65534, "capabilities": [2]}'
    argv = (sys.executable, "-m", "worker.local.exec_as", who, str(ours), sys.executable, "-c", code)
    environ = {"PATH": os.environ["PATH"], "HOME": str(ours), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "True" in done.stdout.split()
    assert (ours / "home/postgres/data").stat().st_uid == 65534
    assert processes.marked(Home.at(ours / "home").stack_id) == []


def test_a_half_made_data_directory_is_moved_aside_and_a_complete_one_stays(services: Stack) -> None:
    postgres = services.home / "postgres"
    for name in ("data", "data.building"):
        (postgres / name).mkdir(parents=True)
        (postgres / name / "half").write_text("initdb died here")
    services.home.chmod(0o700)
    assert services.up().is_ready
    assert (postgres / "data.aside-1" / "half").exists()
    assert not (postgres / "data.building").exists()
    made = (postgres / "data" / "PG_VERSION").stat().st_ino
    services.down()
    assert services.up().is_ready
    assert (postgres / "data" / "PG_VERSION").stat().st_ino == made


def test_a_lost_password_file_locks_nobody_out(services: Stack) -> None:
    services.up()
    before = local.service_environment(services.home)["DATABASE_URL"]
    query(before, "CREATE TABLE kept (n int)")
    services.down()
    (services.home / "secrets.json").unlink()
    services.up()
    after = local.service_environment(services.home)["DATABASE_URL"]
    assert after != before
    assert query(after, "SELECT count(*) FROM kept") == [(0,)]


def test_a_taken_port_is_replaced_if_remembered_and_named_if_set(services: Stack) -> None:
    services.up()
    services.down()
    taken = Home.at(services.home).ports()["redis"]
    with socket.create_server(("127.0.0.1", taken)):
        with pytest.raises(StackError, match=rf"{taken}, which is set for redis"):
            services.up(ports=local.ServicePorts(redis=taken))
        assert not local.status(services.home).is_running
        services.up()
    assert Home.at(services.home).ports()["redis"] != taken
    with redis.Redis.from_url(local.service_environment(services.home)["REDIS_URL"]) as client:
        assert client.ping()


def test_stale_pid_files_stop_nothing_and_hurt_nobody(services: Stack) -> None:
    services.up()
    home = Home.at(services.home)
    os.kill(services.supervisor().pid, signal.SIGKILL)
    eventually(lambda: not home.is_locked() and not services.marked(), "children follow a killed supervisor")
    # As after a reboot: the numbers are given to somebody else, here to a process that must survive.
    innocent = subprocess.Popen((sys.executable, "-I", "-c", FOREVER))
    try:
        (services.home / "postgres/data/postmaster.pid").write_text(f"{innocent.pid}\n{services.home}/postgres/data\n")
        text = home.stack.read_text()
        for child in local.status(services.home).children:
            text = text.replace(f'"pid": {child.pid},', f'"pid": {innocent.pid},')
        home.stack.write_text(text)
        assert services.up().is_ready
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_children_end_in_reverse_order_of_their_dependencies(stack: Stack) -> None:
    order = stack.home.parent / "order"
    code = (
        "import signal, sys, time\n"
        f"def end(*_): open({str(order)!r}, 'a').write('NAME '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('set', flush=True); time.sleep(600)"
    )
    probe = Probe(ProbeKind.LOG, text="set", seconds=60)
    stack.up(
        stand_in("base", code.replace("NAME", "base"), probe),
        stand_in("middle", code.replace("NAME", "middle"), probe, depends_on=("base", "redis")),
        stand_in("top", code.replace("NAME", "top"), probe, depends_on=("base", "middle")),
    )
    assert stack.down()
    assert order.read_text().split() == ["top", "middle", "base"]


def test_a_crashed_child_is_started_again_and_counted(stack: Stack) -> None:
    stack.up(stand_in("mortal", FOREVER), stand_in("other", FOREVER))
    _, first, _ = stack.child("mortal")
    other = stack.child("other")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: stack.child("mortal")[0] is ChildState.READY and stack.child("mortal")[1] != first, "restart")
    assert stack.child("mortal")[2] == 1
    assert stack.child("other") == other


def test_a_crash_loop_fails_with_its_log_and_up_tries_it_again(stack: Stack) -> None:
    broken = stack.home.parent / "broken"
    code = f"import os, time\nif os.path.exists({str(broken)!r}): raise SystemExit('the disk is on fire')\n{FOREVER}"
    table = (stand_in("fragile", code, Probe(ProbeKind.ALIVE, seconds=0.2)), stand_in("other", FOREVER))
    stack.up(*table)
    broken.touch()
    os.kill(stack.child("fragile")[1], signal.SIGKILL)
    eventually(lambda: stack.child("fragile")[0] is ChildState.FAILED, "failed")
    message = stack.record().children[-2].message
    assert "fragile.log" in message
    assert "the disk is on fire" in message
    assert stack.child("other")[0] is ChildState.READY  # the others go on
    broken.unlink()
    assert stack.up(*table).is_ready


def test_what_fails_at_the_start_takes_the_whole_stack_down(stack: Stack) -> None:
    bad = stand_in("migrate", "raise SystemExit('no such table')", one_shot=True, depends_on=("good",))
    with pytest.raises(StackError, match=r"(?s)migrate ended with exit code 1.*migrate\.log.*no such table"):
        stack.up(stand_in("good", FOREVER), bad, stand_in("after", FOREVER, depends_on=("migrate",)))
    assert local.status(stack.home).phase is local.Phase.FAILED
    assert stack.marked() == []
    with pytest.raises(StackError, match=r"missing cannot be started"):
        stack.up(ChildSpec("missing", ("/nonexistent/program",), ALIVE, one_shot=True))


def test_down_kills_what_ignores_it_and_finds_what_hides(stack: Stack) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"  # a daemon: another session, and no parent but whoever adopts it
        f"{FOREVER}"
    )
    stack.up(stand_in("stubborn", code, grace_seconds=0.3))
    eventually(lambda: len(stack.marked()) == 2, "the child and its daemon run")
    assert stack.down()
    assert stack.marked() == []


def test_a_killed_supervisor_leaves_nothing_that_blocks_the_next(stack: Stack) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('set', flush=True); {FOREVER}"
    table = (
        stand_in("polite", FOREVER),
        stand_in("stubborn", code, Probe(ProbeKind.LOG, text="set", seconds=60), grace_seconds=0.3),
    )
    stack.up(*table)
    os.kill(stack.supervisor().pid, signal.SIGKILL)
    eventually(lambda: len(stack.marked()) == 1, "the polite one follows")
    assert not local.status(stack.home).is_running
    before = stack.marked()
    assert stack.up(*table).is_ready
    assert not any(processes.is_alive(process) for process in before)

    os.kill(stack.supervisor().pid, signal.SIGKILL)
    (stack.home / "stack.json").unlink()  # without any record the mark is enough
    assert stack.down()
    assert stack.marked() == []


def test_a_home_taken_away_from_a_running_stack_does_not_hide_it(stack: Stack) -> None:
    stack.up(stand_in("child", FOREVER))
    supervisor = stack.supervisor()
    stack.home.rename(stack.home.with_name("elsewhere"))
    assert stack.down()
    assert stack.marked() == []
    assert not processes.is_alive(supervisor)
    assert not stack.home.exists()


def test_two_ups_at_once_share_one_stack(stack: Stack) -> None:
    table = (stand_in("slow", FOREVER, Probe(ProbeKind.ALIVE, seconds=0.5)),)
    callers = [stack.elsewhere(*table) for _ in range(3)]
    for caller in callers:
        out, err = caller.communicate(timeout=60)
        assert (caller.returncode, err) == (0, "")
        assert "slow is ready" in out
    assert len(stack.marked()) == 1


def test_the_caller_of_up_may_die_at_any_time(stack: Stack) -> None:
    table = (stand_in("slow", FOREVER, Probe(ProbeKind.ALIVE, seconds=0.5)),)
    caller = stack.elsewhere(*table)
    eventually(lambda: len(stack.marked()) == 1, "the child is started")
    caller.kill()
    caller.communicate()
    assert stack.up(*table).is_ready
    assert len(stack.marked()) == 1


def test_down_while_starting_ends_it_and_tells_those_who_wait(stack: Stack) -> None:
    endless = stand_in("endless", FOREVER, NEVER_READY)
    caller = stack.elsewhere(endless)
    eventually(lambda: len(stack.marked()) == 1, "the child is started")
    with pytest.raises(StackError, match=r"endless is starting .*endless\.log"):
        stack.up(endless, timeout=0.3)
    assert stack.down()
    _, err = caller.communicate(timeout=60)
    assert (caller.returncode, "ended while it was starting" in err) == (1, True)


def test_services_of_the_operator_are_used_shown_and_asked(stack: Stack) -> None:
    code = f"import os; print(os.environ['DATABASE_URL'], os.environ['MOBIUS_HOME'], flush=True); {FOREVER}"
    found = stack.up(stand_in("child", code, Probe(ProbeKind.LOG, text="hush", seconds=60)))
    assert [child.state for child in found.children[:3]] == [ChildState.EXTERNAL] * 3
    assert "hush" not in repr(local.status(stack.home))
    assert local.service_environment(stack.home)["DATABASE_URL"] == stack.environ["DATABASE_URL"]
    stack.down()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    stack.environ["REDIS_URL"] = f"redis://:hush@127.0.0.1:{closed}/0"
    with pytest.raises(StackError, match=r"REDIS_URL is set to redis://:\*\*\*@127"):
        stack.up()


def test_purge_refuses_while_it_runs_and_then_leaves_only_the_lock(stack: Stack) -> None:
    stack.up(stand_in("child", FOREVER))
    with pytest.raises(StackError, match="mobius down"):
        local.purge(stack.home)
    stack.down()
    local.purge(stack.home)
    assert [path.name for path in stack.home.iterdir()] == ["supervisor.lock"]
