"""The result of a check of rows."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Line, Noun


class Checked(Noun):
    """A check of rows, and its result."""

    check: Line
    """The value that is checked, in words."""
    value: float | None
    """None if there was no row to check."""
    least: float
    most: float
    rows: int
    """The number of rows that were checked."""
    passed: bool

    def __str__(self) -> str:
        """Return it in words."""
        found = "has no row to look at" if self.value is None else f"is {self.value:.6g}"
        return f"{self.check} {found} in {self.rows} rows, not between {self.least:g} and {self.most:g}"
