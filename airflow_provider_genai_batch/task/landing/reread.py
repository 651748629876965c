"""The requests of existing jobs, read once more, so that each row is joined to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.task.files.overlap import refuse_media_overlap, refuse_overlap
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.tables.load import LoadedTable
from airflow_provider_genai_batch.task.tables.typed import read_typed
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check


def loaded_table(client: GenAIBatchClient, names: Sequence[str], uri: str, output_type: Any) -> LoadedTable:
    """Say which table the rows of ended jobs are loaded into.

    Raises:
        InputError: its columns cannot be meant.
        CallError: the first job cannot be looked at.
    """
    embeds = task_of(client.get(names[0]).model or "") is Task.EMBED
    return LoadedTable(read_typed(uri, output_type, embeds=embeds), digest([*names]), {})


@contextmanager
def landing_for_existing_jobs(
    client: GenAIBatchClient, names: Sequence[str], *, src: Any, output_type: Any, **wanted: Any
) -> Iterator[Landing]:
    """Say how the rows of ended jobs are to be landed; the requests are at hand until the block ends.

    Args:
        client: of the task's connection.
        names: the jobs, which asked `src` together.
        src: the requests; None: what they were is not known.
        output_type: what answers are to be; None: whatever they are.
        **wanted: fields of `Landing`.

    Raises:
        ConfigurationError: rows would land where the requests are.
        InputError: the requests cannot be read, or one of them is not usable.
    """
    validate = None if output_type is None else answer_check(output_type)
    if (loads := wanted.get("loads")) is not None:
        validate = loads.table.checked(validate)
    if src is None:
        refuse_media_overlap(None, wanted.get("results_uri"), wanted.get("media_uri"))
        yield Landing(validate=validate, output_type=output_type, submits=False, **wanted)
        return
    source = read_source(src)
    refuse_overlap(source, wanted.get("results_uri"))
    refuse_media_overlap(source, wanted.get("results_uri"), wanted.get("media_uri"))
    model = client.get(names[0]).model or ""
    with read_input(client, source, model=model, several_jobs=True) as prepared:
        keys = (lambda: [*prepared.keys()]) if prepared.keyed and prepared.readable else (lambda: None)
        yield Landing(
            validate=validate,
            output_type=output_type,
            facts=InputFacts.of(prepared),
            keys=keys,
            submits=False,
            **wanted,
        )
