"""The journals beside the rows of a task, those of later rounds by whatever name they have."""

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
        client: of the task's connection.
        results_uri: where its rows land.
        model: that is asked.
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
        """Return what attempts have brought to the journals of rounds, as jobs that ended.

        A round is known by the jobs that it completes. Where one of them counts no more, or a new one takes its place,
        what was asked at once after it is found by the input that it belongs to.

        Args:
            identity: of the whole input.
            rounds: in which they were asked.
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
