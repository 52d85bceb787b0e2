"""Whatever form an address comes in, the same driver is used, and nothing connects before it must."""

from __future__ import annotations

from unittest.mock import MagicMock

import psycopg
import pytest
from psycopg.errors import FeatureNotSupported, IdleInTransactionSessionTimeout
from sqlalchemy.exc import DBAPIError, IntegrityError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.session import LISTEN, driver_url, listening, open_engine, translated
from pipeline.errors import MisconfiguredError, ServiceUnavailable


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql+psycopg://u:p@h:1/d?sslmode=require"),
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+psycopg:///d?host=/run/postgresql"),
    ],
)
def test_every_usual_spelling_leads_to_psycopg(url: str, expected: str) -> None:
    assert driver_url(url) == expected


@pytest.mark.parametrize("url", ["", "mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "hunter2"])
def test_what_is_no_address_of_postgres_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(MisconfiguredError, match="set it to postgresql://USER:PASSWORD") as caught:
        driver_url(url)
    assert "hunter2" not in str(caught.value)


def test_an_engine_has_a_bounded_pool_and_connects_at_first_use() -> None:
    engine = open_engine("postgresql://u:p@127.0.0.1:9/d", pool_size=3)
    assert engine.pool.size() == 3
    assert engine.pool._max_overflow == 0
    assert engine.pool.checkedout() == 0
    engine.dispose()


def test_a_lost_connection_and_a_full_pool_are_outages() -> None:
    faults = [
        OperationalError("SELECT 1", {}, Exception("server closed the connection\nunexpectedly")),
        PoolTimeoutError("no connection is free"),
        DBAPIError("SELECT 1", {}, Exception("broken"), connection_invalidated=True),
        NotSupportedError("SELECT 1", {}, FeatureNotSupported("cached plan must not change result type")),
        IdleInTransactionSessionTimeout("terminating connection due to idle-in-transaction timeout"),
    ]
    for fault in faults:
        with pytest.raises(ServiceUnavailable, match=r"Postgres does not answer \(.+\); check") as caught, translated():
            raise fault
        assert caught.value.__cause__ is fault
        assert "\n" not in str(caught.value)


def test_other_errors_stay_what_they_are() -> None:
    unsupported = NotSupportedError("SELECT 1", {}, FeatureNotSupported("this is not supported"))
    for fault in (IntegrityError("INSERT", {}, Exception("duplicate")), KeyError("a bug"), unsupported):
        with pytest.raises(type(fault)) as caught, translated():
            raise fault
        assert caught.value is fault


def test_who_listens_returns_after_times_that_are_all_over_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = MagicMock(psycopg.Connection)
    connection.__enter__.return_value = connection
    connection.notifies.return_value = iter(())
    monkeypatch.setattr(psycopg, "connect", lambda *_args, **_options: connection)
    with listening("postgresql://host/database") as wait:
        for _ in range(200):
            wait(0.5, 1.0)
    connection.execute.assert_called_once_with(LISTEN)
    pauses = [call.kwargs["timeout"] for call in connection.notifies.call_args_list]
    assert {int(pause * 20) for pause in pauses} == set(range(10, 20))


def test_who_listens_while_postgres_goes_away_learns_that(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = MagicMock(psycopg.Connection)
    connection.__enter__.return_value = connection
    connection.__exit__.return_value = False
    connection.notifies.side_effect = psycopg.OperationalError("the connection is lost")
    monkeypatch.setattr(psycopg, "connect", lambda *_args, **_options: connection)
    lost = pytest.raises(ServiceUnavailable, match=r"Postgres does not answer \(the connection is lost\)")
    with lost, listening("postgresql://host/database") as wait:
        wait(0.5, 1.0)
