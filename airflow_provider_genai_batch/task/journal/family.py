"""The journals of a task instance's later rounds, by whatever name: it depends on the jobs that came before them."""

from __future__ import annotations

from collections.abc import Collection

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.identity import Identity, round_of
from airflow_provider_genai_batch.models.journal import folder_beside
from airflow_provider_genai_batch.task.files.listing import folder_names
from airflow_provider_genai_batch.task.journal.journal import Journal


def journaled_since(
    client: GenAIBatchClient,
    results_uri: str,
    identity: Identity,
    rounds: Collection[int],
    *,
    known: Collection[str] = (),
    model: str | None = None,
) -> list[BatchJob]:
    """Return what attempts have brought to the journals of rounds, as jobs that ended.

    A round is known by the jobs that it completes. Where one of them counts no more, or a new one takes its place, what
    was asked at once after it is found by the input that it belongs to.

    Args:
        client: of the task's connection.
        results_uri: where the rows of the task land.
        identity: of the whole input.
        rounds: in which they were asked.
        known: names of jobs that count already.
        model: that was asked.

    Raises:
        TransportError: they cannot be listed.
    """
    beside = folder_beside(results_uri, "")
    place, _, begin = beside.rpartition("/")
    folder = place if place or not beside.startswith("/") else "/"
    try:
        names = folder_names(folder or ".", begin + identity.family, client)
    except OSError as error:
        msg = f"The journals beside {results_uri} cannot be listed: {error}"
        raise TransportError(msg) from error
    tags = [name.removeprefix(begin) for name in names]
    journals = [
        Journal(client, results_uri, tag, model)
        for tag in tags
        if identity.is_family_tag(tag) and round_of(tag) in rounds
    ]
    jobs = [job for journal in journals for job in journal.jobs(journal.parts())]
    return [job for job in jobs if job.name not in known]
