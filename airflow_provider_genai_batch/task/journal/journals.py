"""The journals beside the rows of a task."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, round_of
from airflow_provider_genai_batch.models.jobs.journal import folder_beside
from airflow_provider_genai_batch.task.files.listing import folder_names
from airflow_provider_genai_batch.task.journal.journal import Journal


@dataclass(frozen=True)
class Journals:
    """The journals of one task.

    Attributes:
        client: the client of the task's connection.
        results_uri: the address beside which they are kept, see `RunSettings.journal_uri`.
        model: the model of the calls.
    """

    client: GenAIBatchClient
    results_uri: str
    model: str | None

    def of_round(self, tag: str) -> Journal:
        """Return the journal of a round, by its tag."""
        return Journal(self.client, self.results_uri, tag, self.model)

    def since(
        self, identity: Identity, rounds: Collection[int], known: Collection[str] = ()
    ) -> list[BatchJob]:
        """Return the journals of rounds as ended jobs, one for each attempt.

        A round is identified by the jobs that it follows. If one of these no longer counts, or a new job replaces it,
        the immediate calls after it can still be found by their input.

        Args:
            identity: identity of the whole input.
            rounds: the rounds of the calls.
            known: names of jobs that count already.

        Raises:
            TransportError: they cannot be listed.
        """
        beside = folder_beside(self.results_uri, "")
        place, _, begin = beside.rpartition("/")
        folder = place if place or not beside.startswith("/") else "/"
        try:
            names = folder_names(folder or ".", begin + identity.family, self.client)
        except OSError as error:
            msg = f"The journals beside {self.results_uri} cannot be listed: {error}"
            raise TransportError(msg) from error
        tags = [name.removeprefix(begin) for name in names]
        own = [tag for tag in tags if identity.is_family_tag(tag) and round_of(tag) in rounds]
        jobs = [job for tag in own for job in self.of_round(tag).jobs(self.of_round(tag).parts())]
        return [job for job in jobs if job.name not in known]
