from __future__ import annotations

from benchmarks.services import START, count_statements


def log(*statements: str, database: str = "bench_1", how: str = "statement") -> list[str]:
    return [f"{database} LOG:  {how}: {statement}" for statement in statements]


def test_statements_of_both_protocols_are_counted() -> None:
    lines = [
        *log(START),
        *log("SELECT 1"),
        *log("SELECT 2", how="execute <unnamed>"),
        *log("SELECT 2", how="execute _pg3_0"),
    ]
    found = count_statements(lines, "bench_1")
    assert (found.work, found.control) == (3, 0)
    assert found.kinds == {"SELECT 2": 2, "SELECT 1": 1}


def test_transaction_control_is_counted_apart() -> None:
    lines = log(START, "BEGIN", "SAVEPOINT a", "COPY chunks FROM STDIN", "RELEASE a", "COMMIT", "ROLLBACK")
    found = count_statements(lines, "bench_1")
    assert (found.work, found.control) == (1, 5)


def test_only_what_follows_the_last_start_counts() -> None:
    assert count_statements(log(START, "SELECT 1", START, "SELECT 2"), "bench_1").kinds == {"SELECT 2": 1}


def test_other_databases_and_other_lines_do_not_count() -> None:
    lines = [*log(START), *log("SELECT 1", database="bench_2"), "bench_1 ERROR:  no such table", "\tsecond line"]
    assert count_statements(lines, "bench_1").work == 0


def test_a_log_that_was_cut_counts_nothing_rather_than_too_little() -> None:
    found = count_statements(log("SELECT 1"), "bench_1")
    assert (found.work, found.control, found.kinds) == (None, None, {})
