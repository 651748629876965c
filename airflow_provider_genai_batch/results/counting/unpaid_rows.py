"""The rows that no job was paid for: rows of earlier results, and rows of requests that are equal to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from airflow_provider_genai_batch.models import RowStatus, Usage
from airflow_provider_genai_batch.wire.answers.answer import PlainRow


class UnpaidRows:
    """Counts the rows that no job was paid for.

    Attributes:
        reused: rows of earlier results.
        same: rows of requests that are equal to another one, which was submitted for them.
        status: all of them by status.
    """

    def __init__(self) -> None:
        self.reused = self.same = 0
        self.status: Counter[str] = Counter()
        self._saved = dict.fromkeys(Usage.model_fields, 0)

    @staticmethod
    def has(row: PlainRow) -> bool:
        """Whether no job was paid for a row."""
        return "reused_from" in row or "same_as" in row

    def add_row(self, row: PlainRow) -> None:
        """Count one row."""
        if "same_as" in row:
            self.same += 1
        else:
            self.reused += 1
        self.status[row["status"]] += 1
        if row["usage"] is not None:
            self._save(row["usage"])

    def add(self, status: str, reused: int, same: int, usage: Mapping[str, int]) -> None:
        """Count rows of one status: `reused` of one kind and `same` of the other."""
        self.reused += reused
        self.same += same
        if status != RowStatus.MISSING.value:  # a missing row counts as missing only
            self.status[status] += reused + same
        self._save(usage)

    def absorb(self, other: UnpaidRows) -> None:
        """Add the counts of other requests."""
        self.reused += other.reused
        self.same += other.same
        self.status.update(other.status)
        self._save(other._saved)

    @property
    def saved(self) -> Usage:
        """Tokens that were not paid for, because the answers existed."""
        return Usage(**self._saved)

    def _save(self, usage: Mapping[str, int]) -> None:
        for kind, number in usage.items():  # a `Counter` would need three times as long
            self._saved[kind] += number
