"""The job parameters of a task, read from its settings and checked against the service."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.job_params import JobParams, read_job_params
from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.jobs.identity import Identity, digest, merge_labels
from airflow_provider_genai_batch.requests.defaults import check_defaults
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings
from airflow_provider_genai_batch.task.files.objects import is_directory
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.queries.rows import KeptRows
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.tables.ask import TableAsk, read_ask
from airflow_provider_genai_batch.wire.catalog.publishers import check_has_type, family_of
from airflow_provider_genai_batch.wire.parameters.labels import refuse_own_labels
from airflow_provider_genai_batch.wire.schemas.json_schema import json_schema_of
from airflow_provider_genai_batch.wire.schemas.output_type import ask_for, job_check
from airflow_provider_genai_batch.wire.services.create import JobSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order(JobParams):
    """The job that a task wants; its input is not read yet."""

    prompt: Prompt | None = field(default=None, repr=False)
    """A template that makes requests from the rows of `source`; None: `source` has requests."""
    table: TableAsk | None = None
    """Settings for rows of a BigQuery table; None: `source` is not one, or has requests."""
    rows: RowSettings = field(default_factory=RowSettings)
    """Settings for other rows in addition to their prompts."""

    @contextmanager
    def read(
        self,
        client: GenAIBatchClient,
        *,
        keeps_media: bool,
        with_ledger: bool = False,
        kept: KeptRows | None = None,
    ) -> Iterator[PreparedInput]:
        """Read and check the input, which may be larger than one job takes; see `read_input`."""
        with ExitStack() as stack:
            yield InputReader(
                stack,
                client,
                self.source,
                self.model,
                self.request_defaults,
                self.prompt,
                several_jobs=True,
                keeps_media=keeps_media,
                with_ledger=with_ledger,
                rows=self.rows,
                kept=kept,
            ).read()

    def fingerprint(self, config: ClientConfig, conn_id: str, prepared: PreparedInput) -> str:
        """Return a digest of everything that determines the requests and who pays.

        A Gemini key names no project, so there the connection identifies who pays.
        """
        vertex = self.backend is Backend.VERTEX
        return digest(
            {
                "backend": self.backend.value,
                "payer": [config.project, config.location] if vertex else conn_id,
                "model": self.model,
                "input": prepared.content,
                "destination": self.destination.model_dump() if self.destination else None,
            }
        )

    def spec(
        self,
        identity: Identity,
        display_name: str,
        prepared: PreparedInput,
        placed: BatchSource | None,
        labels: Mapping[str, str],
        *,
        several: bool = False,
    ) -> JobSpec:
        """Return the create call.

        Args:
            identity: identity of the job.
            display_name: the job's display name, from `identity`.
            prepared: its input.
            placed: where the service reads the input; None: it is sent inline.
            labels: labels for DAG, task and run.
            several: whether it is one of several jobs with the same destination.

        Raises:
            InputError: Vertex AI has no place to write to.
        """
        destination = self.destination
        if self.backend is Backend.VERTEX:
            destination = self._own_destination(identity, placed, further=several or identity.round > 0)
        return JobSpec(
            backend=self.backend,
            model=self.model,
            task=self.task,
            display_name=display_name,
            source=placed,
            entries=prepared.entries,
            destination=destination,
            labels=merge_labels(labels, self.labels, identity.labels()),
            webhook=self.webhook,
            priority=self.priority if self.backend is Backend.GEMINI else None,
        )

    def _own_destination(
        self, identity: Identity, placed: BatchSource | None, *, further: bool
    ) -> BatchDestination:
        """Return where Vertex AI writes the rows of one job; a `further` one shares the task's destination."""
        destination = self.destination
        # A table must be new, and a job that failed may have left one of the same identity behind.
        suffix = f"{clock.now():%Y%m%d%H%M%S}_{identity.key[:8]}"
        if further:
            suffix = f"r{identity.round}_{suffix}_{identity.fingerprint[-8:]}"
            destination = destination and _beside(destination, suffix)
        if destination is not None:
            return destination
        own = self.source if self.source.gcs_uri or self.source.bigquery_uri else placed
        if self.table is not None or (placed is not None and any(map(is_directory, self.source.gcs_uri))):
            own = placed
        return self.place_beside(own, suffix)


def _read_table(
    params: JobParams, output_type: Any, results_uri: str | None, settings: Mapping[str, Any]
) -> TableAsk:
    if params.task is not Task.GENERATE or family_of(params.model) is not Family.GOOGLE:
        msg = (
            f"{params.model} does not support prompt with a BigQuery table, only Google's generating models "
            "do: write its requests with a query and leave prompt out, or export the table."
        )
        raise UnsupportedError(msg)
    uri = params.source.bigquery_uri or ""
    settings = dict(settings)
    streamed = settings.pop("validate", None) == "python" or params.backend is Backend.GEMINI
    wanted = {"output_type": output_type, "results_uri": results_uri, "streamed": streamed}
    return read_ask(uri, params.destination, **wanted, **settings)


def _beside(destination: BatchDestination, suffix: str) -> BatchDestination:
    """Return the destination of a further job: a table holds rows of one job, a dataset or a prefix those of many."""
    uri = destination.bigquery_uri
    if uri is None or len(uri.removeprefix("bq://").split(".")) < 3:
        return destination
    return BatchDestination(bigquery_uri=f"{uri}_{suffix}")


def read_order(  # noqa: PLR0913 - the operator's parameters, each read once
    connection: ClientConfig,
    *,
    model: str,
    src: Any,
    dest: Any = None,
    config: Any = None,
    request_defaults: Any = None,
    prompt: Any = None,
    output_type: Any = None,
    display_name: str | None = None,
    labels: Mapping[str, str] | None = None,
    webhook: Any = None,
    priority: int | None = None,
    results_uri: str | None = None,
    media_uri: str | None = None,
    **table_settings: Any,
) -> Order:
    """Read a task's parameters; `table_settings` are those of `read_ask`.

    Raises:
        InputError: a parameter cannot be read, or the service does not support it.
        ConfigurationError: one is given twice, flat and in `config`, or the model belongs to the other service.
    """
    params = read_job_params(
        connection,
        model=model,
        src=src,
        are_rows=prompt is not None,
        dest=dest,
        config=config,
        request_defaults=request_defaults,
        display_name=display_name,
        labels=labels,
        webhook=webhook,
        priority=priority,
    )
    if labels:
        refuse_own_labels(labels)
    source, destination = params.source, params.destination
    table, rows = None, RowSettings()
    if prompt is not None and source.bigquery_uri:
        table = _read_table(params, output_type, results_uri, table_settings)
        params, destination = replace(params, destination=None), None
    elif prompt is not None:
        rows = RowSettings.of(table_settings.get("key"), table_settings.get("columns"))
    given = "results_uri" if results_uri else "media_uri" if media_uri else ""
    if given and table is None and (source.bigquery_uri if destination is None else destination.bigquery_uri):
        msg = (
            f"Rows that Vertex AI writes to BigQuery stay there: leave {given} out and read the table, or "
            "give dest as gs://bucket/prefix/."
        )
        raise UnsupportedError(msg)
    if output_type is not None:
        check_has_type(params.model)
    if output_type is not None or request_defaults is not None:
        job_check(output_type, request_defaults)
    if (
        request_defaults
        and json_schema_of(request_defaults) is not None
        and family_of(params.model) is Family.GOOGLE
    ):
        log.warning(
            "Google's batch jobs have answered response_json_schema badly, with text that never ends or does not "
            "fit: prefer output_type, or response_schema. Each answer is checked against it."
        )
    if output_type is not None:
        if source.written_here or table is not None:
            request_defaults = ask_for(output_type, request_defaults)
            check_defaults(request_defaults, params.backend, params.model, name="output_type")
        else:
            log.info(
                "Only the service reads the input: answers are checked against output_type, but it is not added to the "
                "requests."
            )
    asks = None if prompt is None else Prompt(prompt)
    order = Order(**vars(params), prompt=asks, table=table, rows=rows)
    return replace(order, request_defaults=request_defaults)
