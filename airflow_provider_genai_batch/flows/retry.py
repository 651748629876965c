"""How long to wait before trying again."""

from __future__ import annotations

import random

FIRST = 1.0
LONGEST = 60.0
_LONGEST_HINT = 3600.0
"""A longer one, such as a date by a clock that is wrong, would let what is paid for run into its deadline unseen."""


def backoff(failures: int, hint: float | None = None, *, longest: float = LONGEST) -> float:
    """Return seconds to wait after so many failures in a row (from 1): what the service asked for, or doubling.

    The doubled wait is jittered between half and whole; a hint only upwards, so that clients do not come back
    before they were asked to, nor all at once.
    """
    if hint is not None:
        hint = min(hint, _LONGEST_HINT)
        return hint + random.uniform(0, min(1.0, hint * 0.1 + 0.1))  # noqa: S311 - spreading load, not a secret
    ceiling = min(longest, FIRST * 2 ** min(failures - 1, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreading load, not a secret
