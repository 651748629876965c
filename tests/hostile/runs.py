"""A history in a process of a pool."""

from __future__ import annotations

from collections import Counter

import tests.conftest  # noqa: F401 - sets Airflow up, before anything imports it


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
