"""A share of many cases, another after each change of the package: all have their turn, and no run waits for all."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

Case = TypeVar("Case")


def draws(package: Path) -> random.Random:
    """Return what draws the same until a file of the package changes.

    Args:
        package: Its folder.
    """
    sources = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        sources.update(path.read_bytes())
    return random.Random(sources.hexdigest())


def share(cases: Sequence[Case], of: int, choice: random.Random) -> list[Case]:
    """Draw one case in so many, at least one.

    Args:
        cases: All of them.
        of: In how many.
        choice: Draws.
    """
    return choice.sample(cases, -(-len(cases) // of))
