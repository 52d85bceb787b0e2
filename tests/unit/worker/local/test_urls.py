import pytest

from worker.local.urls import masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@h:1/db", "postgresql://me:***@h:1/db"),
        ("redis://:hush@h/0", "redis://:***@h/0"),
        ("http://h:6333", "http://h:6333"),
        ("postgresql://me@h/db?password=hush", "postgresql://me@h/db?***"),
        ("redis://:hu@sh@h/0", "redis://:***@h/0"),
        ("http://[::1", "***"),
        ("", ""),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert masked(url) == shown
