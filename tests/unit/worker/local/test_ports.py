import socket

import pytest

from worker.local import ports
from worker.local.errors import StackError


def free() -> int:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_free_remembered_port_is_kept_and_the_others_differ() -> None:
    remembered = free()
    chosen = ports.choose({"a": None, "b": None, "c": 0}, {"a": remembered, "gone": 1})
    assert chosen["a"] == remembered
    assert list(chosen) == ["a", "b", "c"]
    assert len(set(chosen.values())) == 3


def test_a_taken_remembered_port_is_replaced() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        assert ports.choose({"a": None}, {"a": taken})["a"] != taken


def test_a_wanted_port_beats_the_remembered_one() -> None:
    wanted = free()
    assert ports.choose({"b": None, "a": wanted}, {"a": free(), "b": wanted})["a"] == wanted


@pytest.mark.parametrize("port", [70000, -1])
def test_an_impossible_port_is_refused_by_name(port: int) -> None:
    with pytest.raises(StackError, match=f"Port {port}, which is set for flower"):
        ports.choose({"flower": port}, {})


def test_a_taken_wanted_port_is_refused_by_name() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {taken}, which is set for redis"):
            ports.choose({"redis": taken}, {})
