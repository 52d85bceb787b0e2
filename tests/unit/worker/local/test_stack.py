from pathlib import Path

from worker import local


def test_nothing_there_is_nothing_to_end(tmp_path: Path) -> None:
    home = tmp_path / "absent"
    assert not local.down(home, report=lambda _: None)
    local.purge(home)
    assert local.status(home).phase is local.Phase.STOPPED
    assert local.service_environment(home) == {}
    assert not home.exists()
