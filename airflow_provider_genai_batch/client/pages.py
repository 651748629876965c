"""Reading a list page by page. The service decides its page tokens and its order."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)

NEWEST_FIRST_AFTER = 20
"""How many jobs have to follow each other from newer to older before a list counts as newest first.

Google documents no order. A list in random order has this many in this order once in 20! cases.
"""


class Pages:
    """The position in a list: `over` after the last page, or if a page token repeats, which would lead in circles.

    Args:
        what: what is listed, for the warning.

    Attributes:
        token: the token of the next page; None: the first page.
        over: whether there is no next page.
        in_circles: whether a token was repeated.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[str] = set()
        self.token: str | None = None
        self.over = self.in_circles = False

    def turn(self, token: str) -> None:
        """Go on to the page with this token; an empty token ends the list."""
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
    """Finds out whether a list has the newest job first."""

    def __init__(self) -> None:
        self._before: float | None = None
        self._steps = 0
        self._broken = False

    def take(self, jobs: Iterable[BatchJob]) -> None:
        """Compare the next jobs of the list."""
        for job in jobs:
            created = None if job.create_time is None else job.create_time.timestamp()
            if created is None or (self._before is not None and created > self._before):
                self._broken = True
            elif self._before is not None and created < self._before:
                self._steps += 1
            self._before = created

    @property
    def newest_first(self) -> bool:
        """Whether the list has proved to be newest first, so that further pages only have older jobs."""
        return not self._broken and self._steps >= NEWEST_FIRST_AFTER
