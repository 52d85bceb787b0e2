import signal

import pytest

from worker.local.errors import StackError
from worker.local.specs import ChildSpec, External, Launch, Probe, ProbeKind, RunAs, check_table, decode, encode

ALIVE = Probe(ProbeKind.ALIVE, seconds=1.5)


def test_a_launch_survives_the_pipe() -> None:
    full = ChildSpec(
        name="full",
        argv=("a", "b c", '"'),
        probe=Probe(ProbeKind.HTTP, port=1, text="/readyz"),
        env={"K": "v"},
        one_shot=True,
        depends_on=("x", "y"),
        stop_signal=signal.SIGINT,
        grace_seconds=2.5,
        cwd="/",
        url="http://h",
        bare=True,
        run_as=RunAs(1, 2, (1, 2)),
    )
    launch = Launch((full, ChildSpec("least", ("c",), ALIVE)), {"URL": "ü"}, (External("db", "u"),), services_only=True)
    assert decode(encode(launch)) == launch


def test_a_table_may_depend_on_what_stands_before_it_and_on_external_services() -> None:
    first = ChildSpec("first", ("a",), ALIVE, depends_on=("postgres",))
    check_table([first, ChildSpec("second", ("a",), ALIVE, depends_on=("first",))], ["postgres"])


def test_a_table_with_an_unknown_dependency_is_refused() -> None:
    with pytest.raises(StackError, match="worker depends on reddis"):
        check_table([ChildSpec("worker", ("a",), ALIVE, depends_on=("reddis",))], ["redis"])


def test_a_table_with_a_name_twice_is_refused() -> None:
    with pytest.raises(StackError, match="Two processes"):
        check_table([ChildSpec("a", ("a",), ALIVE)], ["a"])
