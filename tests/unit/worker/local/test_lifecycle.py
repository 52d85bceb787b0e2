import pytest

from worker.local import lifecycle
from worker.local.lifecycle import MAX_FAILURES, STABLE_SECONDS, ChildState, Life
from worker.local.specs import ChildSpec, Probe, ProbeKind

ALIVE = Probe(ProbeKind.ALIVE)


def spec(name: str, *depends_on: str) -> ChildSpec:
    return ChildSpec(name, ("true",), ALIVE, depends_on=depends_on)


def ended(life: Life, code: int = 1, now: float = 1.0, *, one_shot: bool = False, stopping: bool = False) -> Life:
    return lifecycle.ended(life, code, now, one_shot=one_shot, stopping=stopping)


def test_waits_double_up_to_a_limit() -> None:
    waits = [lifecycle.backoff(failures) for failures in range(1, 100)]
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert waits == sorted(waits)
    assert waits[-1] == lifecycle.BACKOFF_LIMIT_SECONDS


def test_a_crash_is_a_restart_after_a_wait() -> None:
    life = ended(Life(), code=-9, now=5.0)
    assert (life.state, life.restarts, life.failures, life.retry_at) == (ChildState.RESTARTING, 1, 1, 5.25)
    assert life.message == "ended by signal 9"


def test_endings_in_a_row_are_a_crash_loop_even_if_it_was_ready_between() -> None:
    life = Life()
    for _ in range(MAX_FAILURES):
        assert life.state is not ChildState.FAILED
        life = ended(lifecycle.became_ready(lifecycle.begun(life, 0.0)))
    assert life.state is ChildState.FAILED
    assert "not started again" in life.message


def test_a_long_life_wipes_out_earlier_failures() -> None:
    life = Life(failures=MAX_FAILURES - 1, restarts=7)
    life = ended(lifecycle.begun(life, 100.0), now=100.0 + STABLE_SECONDS)
    assert (life.state, life.failures, life.restarts) == (ChildState.RESTARTING, 1, 8)


def test_a_server_that_exits_well_is_restarted_but_a_command_is_done() -> None:
    assert ended(Life(), code=0).state is ChildState.RESTARTING
    assert ended(Life(), code=0, one_shot=True).state is ChildState.READY


def test_a_command_that_fails_is_not_tried_again() -> None:
    life = ended(Life(), code=3, one_shot=True)
    assert (life.state, life.message) == (ChildState.FAILED, "ended with exit code 3")


def test_an_ending_that_was_asked_for_is_no_failure_and_hides_none() -> None:
    assert ended(Life(), code=-15, stopping=True).state is ChildState.STOPPED
    assert ended(Life(state=ChildState.FAILED), stopping=True).state is ChildState.FAILED


def test_only_what_failed_is_revived() -> None:
    failed = Life(state=ChildState.FAILED, failures=MAX_FAILURES)
    assert lifecycle.revived(failed).state is ChildState.RESTARTING
    assert lifecycle.revived(failed).failures == 0
    ready = Life(state=ChildState.READY)
    assert lifecycle.revived(ready) is ready


def test_a_child_starts_when_all_it_depends_on_is_ready() -> None:
    table = [spec("a"), spec("b", "a"), spec("c", "a", "elsewhere")]
    lives = {name: Life() for name in "abc"}
    assert [s.name for s in lifecycle.to_start(table, lives, set(), 0.0)] == ["a"]
    lives["a"] = Life(state=ChildState.READY)
    assert [s.name for s in lifecycle.to_start(table, lives, {"a"}, 0.0)] == ["b", "c"]
    lives["a"] = Life(state=ChildState.RESTARTING, retry_at=9.0)
    assert lifecycle.to_start(table, lives, set(), 8.0) == []
    assert [s.name for s in lifecycle.to_start(table, lives, set(), 9.0)] == ["a"]


@pytest.mark.parametrize("state", [ChildState.FAILED, ChildState.STOPPED, ChildState.READY])
def test_what_failed_stopped_or_is_done_does_not_start(state: ChildState) -> None:
    assert lifecycle.to_start([spec("a")], {"a": Life(state=state)}, set(), 0.0) == []


def test_a_child_ends_when_nothing_running_needs_it() -> None:
    table = [spec("a"), spec("b", "a"), spec("c", "b")]
    assert lifecycle.to_stop(table, {"a", "b", "c"}) == ["c"]
    assert lifecycle.to_stop(table, {"a", "b"}) == ["b"]
    assert lifecycle.to_stop(table, {"a"}) == ["a"]
    assert lifecycle.to_stop(table, set()) == []


def test_a_ready_child_that_is_killed_from_outside_is_started_again_however_often() -> None:
    life = lifecycle.became_ready(Life())
    for restarts in range(1, 3 * MAX_FAILURES):
        life = ended(life, code=-9)
        assert (life.state, life.restarts, life.failures) == (ChildState.RESTARTING, restarts, 1)
        life = lifecycle.became_ready(lifecycle.begun(life, 1.0))


def test_a_child_that_is_killed_before_it_is_ready_counts_a_failure() -> None:
    life = Life()
    for _ in range(MAX_FAILURES):
        life = ended(lifecycle.begun(life, 0.0), code=-9)
    assert life.state is ChildState.FAILED
