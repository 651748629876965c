"""Rows and tokens of each of several jobs: the difference of the sums before and after its rows."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.models.tier import Tier

LONG_PROMPT = 200_000
"""Input tokens above which Google's larger models have another price for all tokens of a request.

Source: Google's price pages for the Gemini API and Vertex AI, 2026.
"""


BATCH = Tier.BATCH.value
"""A row's `tier`, if a job answered it."""
AT_BATCH_PRICE = frozenset((BATCH, Tier.FLEX.value))
"""Values of a row's `tier` at which its tokens cost half."""


class JobTotals(NamedTuple):
    """The rows and tokens of one job, or of all rows so far."""

    rows: Counter[str]
    """By status, including rows that a later round replaced; requests without a row belong to no job."""
    usage: Usage
    long: Usage
    """The part of `usage` for requests with long prompts."""
    full: Usage = Usage()
    """The part of `usage` that is billed in full: immediate calls, unless they are known to be served as flex."""
    full_long: Usage = Usage()
    """The part of `full` for requests with long prompts."""

    def since(self, earlier: JobTotals) -> JobTotals:
        """Return the difference to earlier totals."""
        return JobTotals(
            self.rows - earlier.rows,
            self.usage - earlier.usage,
            self.long - earlier.long,
            self.full - earlier.full,
            self.full_long - earlier.full_long,
        )
