"""Walking through the pages of a list, whose tokens and order are the service's affair."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)

NEWEST_FIRST_AFTER = 20
"""Jobs that have to follow each other from newer to older before a list counts as ordered.

No page of Google's promises an order. A list in any other shows so many in this one by accident once in 20! walks.
"""


class Pages:
    """How far a walk is: `over` after the last page, or when a token comes back that would lead in circles.

    Args:
        what: is listed, for the warning.

    Attributes:
        token: of the next page; None: the first.
        over: whether there is no next page to go to.
        in_circles: whether a token came back.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[str] = set()
        self.token: str | None = None
        self.over = self.in_circles = False

    def turn(self, token: str) -> None:
        """Take the token of the next page; an empty one ends the walk."""
        self.in_circles = token in self._seen
        if self.in_circles:
            log.warning(
                "The list of %s repeats a page token, so reading it stops here. There may be more pages, which were "
                "not read.",
                self._what,
            )
        self.over = not token or self.in_circles
        self._seen.add(token)
        self.token = token


class CreationOrder:
    """Whether a list has shown that it gives the newest job first."""

    def __init__(self) -> None:
        self._before: float | None = None
        self._steps = 0
        self._broken = False

    def take(self, jobs: Iterable[BatchJob]) -> None:
        """Look at the next jobs of the list."""
        for job in jobs:
            created = None if job.create_time is None else job.create_time.timestamp()
            if created is None or (self._before is not None and created > self._before):
                self._broken = True
            elif self._before is not None and created < self._before:
                self._steps += 1
            self._before = created

    @property
    def newest_first(self) -> bool:
        """Whether jobs of further pages are older than those that came."""
        return not self._broken and self._steps >= NEWEST_FIRST_AFTER
