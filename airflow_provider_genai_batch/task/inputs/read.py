"""A task's input: read and checked before anything is paid, and read again when its rows land."""

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
def read_input(  # noqa: PLR0913 - one a setting; all by name
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
    """Read and check an input; its lines are there until the block ends.

    Args:
        client: of the task's connection.
        source: where the requests are, or the rows that `prompt` makes requests of.
        model: the job's.
        request_defaults: merged into every request that is written.
        prompt: a template over columns; None where the source has requests.
        several_jobs: the input may be larger than one job takes, see `PreparedInput.shards`.
        keeps_media: False refuses requests that ask for pictures or sound, which nobody would keep.
        with_ledger: enter what is asked, request by request, see `PreparedInput.ledger`.
        rows: what tells rows apart, and what of them comes back.
        kept: the rows of a query.

    Raises:
        InputError: a file or a request is not usable; the message names the line.
    """
    with ExitStack() as stack:
        settings = (model, request_defaults, prompt, several_jobs, keeps_media, with_ledger)
        yield InputReader(stack, client, source, *settings, rows or RowSettings(), kept).read()


def staging_place(client: GenAIBatchClient, destination: BatchDestination | None) -> str | None:
    """Return the ``gs://`` prefix for inputs: the connection's, else one below the destination."""
    if client.config.staging_uri:
        return client.config.staging_uri
    if destination is not None and destination.gcs_uri:
        return f"{destination.gcs_uri.rstrip('/')}/input"
    return None
