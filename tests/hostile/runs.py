"""A history in a process of a pool."""

from __future__ import annotations

from collections import Counter

import tests.conftest  # noqa: F401 - sets Airflow up, before anything imports it

BROKEN_ONCE = (486, 707, 916, 1182, 1275, 1329, 1564, 1904, 1966, 2032, 2151, 2209, 2385, 2704, 2884)
"""Numbers of histories in which an earlier version broke a promise."""


def outcome(number: int) -> tuple[int, Counter[str], str]:
    """Run a history; return what was seen, and how a promise was broken if one was."""
    from tests.hostile.history import history
    from tests.hostile.world import BrokenPromise

    with history(number) as one:
        try:
            one.run()
        except BrokenPromise as broken:
            return number, one.world.seen, str(broken)
        return number, one.world.seen, ""
