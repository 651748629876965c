"""The sums of tokens over rows, and the parts of them that are billed differently from the rest."""

from __future__ import annotations

from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.models.jobs.job_totals import AT_BATCH_PRICE, BATCH, LONG_PROMPT, JobTotals
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows


class TokenSums:
    """Tokens of all rows that are billed.

    Attributes:
        long: the part of requests with long prompts.
        full: the part billed at full price: immediate calls that, as far as is known, were not served as flex.
        full_long: the part of `full` of requests with long prompts.
    """

    def __init__(self) -> None:
        self._input = self._output = self._cached = self._thoughts = self._total = self._tool_use = 0
        self.long, self.full, self.full_long = Usage(), Usage(), Usage()

    def add_row(self, row: PlainRow) -> None:
        """Add the tokens of one row."""
        used = row["usage"]
        if used is None:
            return
        asked, cached, thoughts = used["input"], used["cached"], used["thoughts"]
        self._input += asked
        self._output += used["output"]
        self._total += used["total"]
        if cached:
            self._cached += cached
        if thoughts:
            self._thoughts += thoughts
        if "tool_use" in used:
            self._tool_use += used["tool_use"]
        if asked > LONG_PROMPT:
            self.long += Usage(**used)
        if row.get("tier", BATCH) not in AT_BATCH_PRICE:
            self.full += Usage(**used)
            if asked > LONG_PROMPT:
                self.full_long += Usage(**used)

    def add_usual(self, rows: UsualRows) -> None:
        """Add the tokens of several rows, none with a long prompt and none billed in full."""
        tokens = rows.tokens
        self._input += tokens.input
        self._output += tokens.output
        self._cached += tokens.cached
        self._thoughts += tokens.thoughts
        self._total += tokens.total

    def add_job(self, totals: JobTotals) -> None:
        """Add the tokens of a job whose rows are read elsewhere."""
        self._add(totals.usage)
        self.long += totals.long
        self.full += totals.full
        self.full_long += totals.full_long

    def absorb(self, other: TokenSums) -> None:
        """Add the tokens of other rows. The parts are counted for each job, so they stay as they are."""
        self._add(other.usage)

    @property
    def usage(self) -> Usage:
        """The sum of all tokens."""
        return Usage(
            input=self._input,
            output=self._output,
            cached=self._cached,
            thoughts=self._thoughts,
            total=self._total,
            tool_use=self._tool_use,
        )

    def _add(self, usage: Usage) -> None:
        self._input += usage.input
        self._output += usage.output
        self._cached += usage.cached
        self._thoughts += usage.thoughts
        self._total += usage.total
        self._tool_use += usage.tool_use
