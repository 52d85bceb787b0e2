from pathlib import Path

from worker.local import logs


def test_a_log_that_grew_too_large_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)
        logs.bound(log, limit=100)
        assert log.stat().st_size == 40
        logs.bound(log, limit=39)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"old\n" * 10


def test_a_tail_is_the_last_lines_of_this_life(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"earlier life\n" + b"".join(b"line %d \xff\n" % n for n in range(20)))
    assert logs.tail(log, start=13, lines=2) == "line 18 \ufffd\nline 19 \ufffd"
    assert "earlier" not in logs.tail(log, start=13, lines=100)
    assert logs.tail(log, start=10**6, lines=1) == "line 19 \ufffd"  # it was cut meanwhile
    assert logs.tail(tmp_path / "absent") == ""
