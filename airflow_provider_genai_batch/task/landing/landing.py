"""The settings for the rows of a task."""

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
    """The settings for the rows of a task."""

    results_uri: str | None = None
    media_uri: str | None = None
    """Folder for pictures and sound; None: they are not kept."""
    max_failed_rows: float = 0
    facts: InputFacts = field(default_factory=InputFacts)
    keys: Callable[[], Iterable[str] | None] = field(default=lambda: None)
    """Returns the keys of all requests, in order, if the rows alone do not tell enough; None: unavailable."""
    ordered: bool = False
    """Whether rows land in the order of the input."""
    listed: bool = False
    """Whether the requests are a list, whose keys are always at hand."""
    validate: Validate | None = None
    """Checks the text of an answer."""
    output_type: Any = None
    """The type that `validate` returns; columns have it."""
    carry: Carry | None = None
    """Returns the columns of the input row at an index."""
    submits: bool = True
    """Whether the task submits jobs itself, so that its next attempt may submit again; errors say so."""
    answers: AnswerSettings = field(default_factory=AnswerSettings)
    partly: bool = True
    """Whether to write rows even if fewer came than the service has counted. If not, such rows are only counted, and
    the file at `results_uri` stays as it is."""
    checks: tuple[Check, ...] = ()
    """Checks of all rows together."""
    on_check: str = "fail"
    """What happens if one fails, ``fail`` or ``warn``."""
    meter: Meter | None = None
    """Measures the rows, which are then only counted, even with a `results_uri`."""
    stream: BinaryIO | None = None
    """Where to write rows as JSONL if there is no `results_uri`."""
    at_hand: AtHand | None = None
    """Rows that need no job: those of earlier results, and of requests that are equal to another one."""
    into: TableLanding | None = None
    """The BigQuery table to write from rows in BigQuery; None: they stay as the service wrote them."""

    loads: LoadedTable | None = None
    """The BigQuery table into which rows are loaded, if `results_uri` is one."""
    client_of: Callable[[str], GenAIBatchClient] | None = None
    """Returns the client for a job by its name; None: all jobs use the task's own connection."""

    @property
    def result_uri(self) -> str | None:
        """The address of the BigQuery table that is written."""
        return None if self.into is None or self.meter is not None else self.into.ask.result.uri

    def at(self, job_name: str, own: GenAIBatchClient) -> GenAIBatchClient:
        """Return the client for a job; `own` is that of the task's connection."""
        return own if self.client_of is None else self.client_of(job_name)

    def without(self, requests: int) -> Landing:
        """Return a copy for the jobs whose rows land, without the `requests` whose rows stay elsewhere."""
        if not requests or self.facts.requests is None:
            return self
        return replace(self, facts=replace(self.facts, requests=self.facts.requests - requests))

    def reading(self, dropped: Dropped, *, keep_media: bool) -> Reading:
        """Return how to read answers; `dropped` counts what is in no row."""
        typed = self.validate is not None or self.facts.for_type
        return self.answers.reading(dropped, typed=typed, keep_media=keep_media)

    @property
    def needs_places(self) -> bool:
        """Whether the keys are needed from the start, to know a row's position in the input."""
        facts, uri = self.facts, self.results_uri
        wanted = self.ordered or self.listed or self.carry is not None
        return bool(uri) and facts.keyed and not facts.stamped and wanted

    def tally(
        self,
        jobs: Sequence[BatchJob],
        known: Iterable[str] | None,
        *,
        sums: bool = True,
        answered: KeySet | None = None,
    ) -> RowCounter:
        """Return a counter for the rows of jobs of the first round.

        Args:
            jobs: jobs that together had all requests; of two with the same requests, one counts.
            known: the keys.
            sums: whether a checksum of the keys is enough to know whether all came; if not, keys are remembered.
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
