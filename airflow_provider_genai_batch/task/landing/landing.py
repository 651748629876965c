"""How a task wants its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.job import total_of
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.keys.key_set import KeySet
from airflow_provider_genai_batch.results.write import Carry, Validate
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.asks import one_of_twins
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
from airflow_provider_genai_batch.task.tables.land import Meter, TableLanding
from airflow_provider_genai_batch.task.tables.load import LoadedTable
from airflow_provider_genai_batch.wire.answers.answer import AnswerSettings, Reading
from airflow_provider_genai_batch.wire.answers.members import Dropped


@dataclass(frozen=True)
class Landing:
    """How rows are wanted."""

    results_uri: str | None = None
    media_uri: str | None = None
    """Folder of pictures and sound; None: they are not kept."""
    max_failed_rows: float = 0
    facts: InputFacts = field(default_factory=InputFacts)
    keys: Callable[[], Iterable[str] | None] = field(default=lambda: None)
    """Gives the keys of all requests, in order, where the rows do not tell enough; None: they are not to be had."""
    ordered: bool = False
    """In the order of the input."""
    validate: Validate | None = None
    """Checks the text of an answer."""
    output_type: Any = None
    """What `validate` makes of answers: columns have its type."""
    carry: Carry | None = None
    """Gives columns of the input row at an index."""
    submits: bool = True
    """The task submits jobs itself, so that its next attempt may ask again; errors say what it does."""
    answers: AnswerSettings = field(default_factory=AnswerSettings)
    partly: bool = True
    """Write rows also if fewer came than the service has counted. Else they are only counted then, and what stands at
    `results_uri` stays."""
    checks: tuple[Check, ...] = ()
    """Of all rows together."""
    on_check: str = "fail"
    """What comes of one that fails, ``fail`` or ``warn``."""
    meter: Meter | None = None
    """Measures the rows, which are only counted then, whatever `results_uri` says."""
    stream: BinaryIO | None = None
    """Where rows are written as JSONL if there is no `results_uri`."""
    at_hand: AtHand | None = None
    """What needs no job: rows of earlier results, and of requests that are equal to another."""
    into: TableLanding | None = None
    """The table in BigQuery that is written of rows there; None: they stay as the service wrote them."""

    loads: LoadedTable | None = None
    """What becomes of rows at a `results_uri` that is a table in BigQuery."""
    client_of: Callable[[str], GenAIBatchClient] | None = None
    """Gives the client for a job by its name; None: all are at the task's own connection."""

    @property
    def result_uri(self) -> str | None:
        """The address of the table in BigQuery that is written."""
        return None if self.into is None or self.meter is not None else self.into.ask.result.uri

    def at(self, job_name: str, own: GenAIBatchClient) -> GenAIBatchClient:
        """Return the client for a job; `own` is that of the task's connection."""
        return own if self.client_of is None else self.client_of(job_name)

    def without(self, requests: int) -> Landing:
        """Return the same for the other jobs, where some had so many of the requests and their rows stay elsewhere."""
        if not requests or self.facts.requests is None:
            return self
        return replace(self, facts=replace(self.facts, requests=self.facts.requests - requests))

    def reading(self, dropped: Dropped, *, keep_media: bool) -> Reading:
        """Say how answers are to be read, and where to count what lands nowhere."""
        typed = self.validate is not None or self.facts.for_type
        return self.answers.reading(dropped, typed=typed, keep_media=keep_media)

    @property
    def needs_places(self) -> bool:
        """Whether the keys are needed from the start, to know where in the input a row belongs."""
        facts, uri = self.facts, self.results_uri
        return bool(uri) and facts.keyed and not facts.stamped and (self.ordered or self.carry is not None)

    def tally(
        self,
        jobs: Sequence[BatchJob],
        known: Iterable[str] | None,
        *,
        sums: bool = True,
        answered: KeySet | None = None,
    ) -> RowCounter:
        """Begin to count the rows of jobs of the first round.

        Args:
            jobs: together they had all requests; of two that asked the same, one counts.
            known: the keys.
            sums: let the sum of the keys tell whether all came; else those that came are remembered.
            answered: see `RowCounter`.
        """
        facts = self.facts
        return RowCounter(
            expected=total_of(one_of_twins(jobs)) if facts.requests is None else facts.requests,
            keyed=facts.keyed,
            stamped=facts.stamped,
            key_sum=facts.key_sum if sums else None,
            known=known,
            answered=answered,
            reuses=self.at_hand is not None,
        )
