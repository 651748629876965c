"""The causes of failed rows in words, and how often each occurred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.services.errors import hint_of

MOST_SHOWN = 5
"""The most causes shown in messages and in the manifest."""
_KEPT = 1000
"""The most distinct causes that are counted; the service may put details of one row into each."""
_LONGEST = 300
"""The most characters of a cause, in messages and in the manifest."""


class Causes:
    """Counts failed rows by cause."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add_row(self, row: PlainRow) -> None:
        """Count the cause of one row."""
        cause = cause_of(row)
        if len(self._counts) < _KEPT or cause in self._counts:
            self._counts[cause] += 1

    def add_missing(self, row: PlainRow) -> None:
        """Count a request without a row; its cause is always kept."""
        self._counts[cause_of(row)] += 1

    def add(self, counts: Mapping[str, int]) -> None:
        """Add numbers of rows by cause."""
        self._counts.update(counts)

    def absorb(self, other: Causes) -> None:
        """Add the causes of other rows."""
        self._counts.update(other._counts)

    @property
    def commonest(self) -> dict[str, int]:
        """The commonest causes, with their counts."""
        return dict(self._counts.most_common(MOST_SHOWN))

    def __len__(self) -> int:
        """Return how many different causes are counted."""
        return len(self._counts)

    def __str__(self) -> str:
        """Return the commonest causes with their counts, in one line."""
        shown = [f"{number} x {cause}" for cause, number in self.commonest.items()]
        rest = len(self) - len(shown)
        return "; ".join(shown) + (f"; {rest} other causes" if rest > 0 else "")


def cause_of(row: PlainRow) -> str:
    """Return why a row failed, or why it is missing."""
    error = row["error"]
    if error is None:
        return "no line came back" if row["status"] == "missing" else str(row["status"])
    head = printable(" ".join(str(p) for p in (error["code"], error["status"]) if p not in (None, "")), 100)
    if not error["message"]:
        return f"{row['status']} (code {head})" if head else str(row["status"])
    return as_cause(f"{head}: {error['message'][:160]}".strip(": ") + hint_of(error["message"]))


def as_cause(text: str) -> str:
    """Return a text cut to the length of a cause."""
    return printable(text, _LONGEST)
