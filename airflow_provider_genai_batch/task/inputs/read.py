"""Reads and checks a task's input, before anything is paid, and again when its rows land."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.queries.rows import KeptRows
from airflow_provider_genai_batch.task.inputs.reading import InputReader


@contextmanager
def read_input(  # noqa: PLR0913 - one for each setting, by name
    client: GenAIBatchClient,
    source: BatchSource,
    *,
    model: str,
    request_defaults: Any = None,
    prompt: Prompt | None = None,
    several_jobs: bool = False,
    keeps_media: bool = True,
    with_ledger: bool = False,
    rows: RowSettings | None = None,
    kept: KeptRows | None = None,
) -> Iterator[PreparedInput]:
    """Read and check an input. Its lines can be read until the block ends.

    Args:
        client: the client of the task's connection.
        source: the requests, or the rows from which `prompt` makes requests.
        model: the model of the job.
        request_defaults: fields to merge into every request that is written.
        prompt: a template over columns; None if the source has requests.
        several_jobs: whether the input may be larger than one job allows, see `inputs.split`.
        keeps_media: False refuses requests for pictures or sound, because they would not be kept.
        with_ledger: whether to write a ledger of the requests, see `PreparedInput.ledger`.
        rows: columns that are the key of a row, and columns that land beside the answers.
        kept: the rows of a query.

    Raises:
        InputError: a file or a request is not usable; the message names the line.
    """
    with ExitStack() as stack:
        settings = (model, request_defaults, prompt, several_jobs, keeps_media, with_ledger)
        yield InputReader(stack, client, source, *settings, rows or RowSettings(), kept).read()


def staging_place(client: GenAIBatchClient, destination: BatchDestination | None) -> str | None:
    """Return the ``gs://`` prefix for inputs: the connection's, or else one below the destination."""
    if client.config.staging_uri:
        return client.config.staging_uri
    if destination is not None and destination.gcs_uri:
        return f"{destination.gcs_uri.rstrip('/')}/input"
    return None
