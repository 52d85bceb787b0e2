import json
import os
from pathlib import Path

import pytest

from worker.local.errors import StackError
from worker.local.lifecycle import ChildState, Phase
from worker.local.processes import boot_id, find
from worker.local.state import ChildRecord, Home, StackRecord


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.at(tmp_path / "home")
    place.prepare()
    return place


def record(pid: int, started: int, boot: str) -> StackRecord:
    child = ChildRecord("db", ChildState.READY, 7, 8, "url", 0, "", "log", 2, 30.0)
    return StackRecord(Phase.RUNNING, boot, pid, started, 0, False, {"DATABASE_URL": "u"}, (child,))


def me() -> tuple[int, int]:
    process = find(os.getpid())
    assert process is not None
    return process.pid, process.started


def test_a_record_is_read_as_it_was_written_by_its_owner_alone(home: Home) -> None:
    written = record(*me(), boot_id())
    home.write_record(written)
    assert home.read_record() == written
    assert home.stack.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.path.glob(".*")] == []


def test_a_record_of_another_boot_or_another_process_is_not_current() -> None:
    pid, started = me()
    assert record(pid, started, boot_id()).is_current
    assert not record(pid, started, "another boot").is_current
    assert not record(pid, started - 1, boot_id()).is_current


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"phase": "running"}', "\x00\x00"])
def test_a_damaged_record_reads_as_none(home: Home, damage: str) -> None:
    home.stack.write_text(damage)
    assert home.read_record() is None


def test_the_lock_has_one_holder_and_falls_with_it(home: Home) -> None:
    assert not home.is_locked()
    lock = home.try_lock()
    assert lock is not None
    assert home.is_locked()
    assert home.try_lock() is None
    os.close(lock)
    assert not home.is_locked()


def test_a_secret_is_made_once(home: Home) -> None:
    first = home.secret("db")
    assert len(first) >= 32
    assert Home.at(home.path).secret("db") == first
    assert home.secret("other") != first


def test_ports_are_remembered_beside_older_ones_and_nonsense_is_ignored(home: Home) -> None:
    home.remember_ports({"a": 1000})
    home.remember_ports({"b": 2000})
    assert home.ports() == {"a": 1000, "b": 2000}
    (home.path / "ports.json").write_text(json.dumps({"a": "x", "b": 70000, "c": 3000}))
    assert home.ports() == {"c": 3000}


def test_one_directory_is_one_stack_however_it_is_reached(home: Home, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(home.path)
    assert Home.at(link).stack_id == home.stack_id
    assert Home.at(tmp_path / "other").stack_id != home.stack_id


def test_an_empty_directory_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.joinpath("home").mkdir(mode=0o755)
    Home.at(tmp_path / "home").prepare()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_directory_of_the_operators_is_neither_used_nor_changed(tmp_path: Path) -> None:
    place = tmp_path / "documents"
    place.mkdir(mode=0o755)
    (place / "letter").touch()
    with pytest.raises(StackError, match="MOBIUS_HOME"):
        Home.at(place).prepare()
    assert place.stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StackError, match="MOBIUS_HOME"):
            Home.at(path).prepare()
        assert not Home.at(path).is_locked()


def test_a_home_within_a_file_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="choose another directory with MOBIUS_HOME"):
        Home.at(tmp_path / "file").read_record()
