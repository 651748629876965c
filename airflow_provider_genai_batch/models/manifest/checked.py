"""What a check of rows has found."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Line, Noun


class Checked(Noun):
    """A check of rows, and what it has found."""

    check: Line
    """What is looked at, in words."""
    value: float | None
    """None if there was no row to check."""
    least: float
    most: float
    rows: int
    """That it was looked for in."""
    passed: bool

    def __str__(self) -> str:
        """Return it in words."""
        found = "has no row to look at" if self.value is None else f"is {self.value:.6g}"
        return f"{self.check} {found} in {self.rows} rows, not between {self.least:g} and {self.most:g}"
