"""Start the slow rings first where tests run side by side: begun last, their processes would be waited for alone.

Within a ring the order stays random. Needs ``--no-loadscope-reorder``, or files with many tests go first.
"""

from __future__ import annotations

import pytest

#: Folders of `tests/`, slowest first.
_RINGS = ("chaos", "e2e", "integration", "contract", "unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by ring; a sort keeps the order of equals."""
    tests = config.rootpath / "tests"
    items.sort(key=lambda item: _RINGS.index(item.path.relative_to(tests).parts[0]))
