"""Reads the requests of existing jobs once more, so that each row can be joined to its request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.task.checks.row_checks import refuse_untyped
from airflow_provider_genai_batch.task.files.overlap import refuse_media_overlap, refuse_overlap
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.tables.load import LoadedTable
from airflow_provider_genai_batch.task.tables.typed import facts_of, read_typed
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check

_SO_FAR = "Nothing was landed; the rows are paid for, and are still at the service."


def loaded_table(client: GenAIBatchClient, names: Sequence[str], uri: str, output_type: Any) -> LoadedTable:
    """Return the table that the rows of ended jobs are loaded into.

    Raises:
        InputError: its columns are not valid.
        CallError: the first job cannot be read.
    """
    model = client.get(names[0]).model or ""
    table = read_typed(uri, output_type, None, **facts_of(model, client.config.backend))
    return LoadedTable(table, digest([*names]), {})


@contextmanager
def landing_for_existing_jobs(
    client: GenAIBatchClient, names: Sequence[str], *, src: Any, output_type: Any, **wanted: Any
) -> Iterator[Landing]:
    """Yield the settings for the rows of ended jobs. The requests stay open until the block ends.

    Args:
        client: the client of the task's connection.
        names: the jobs, which together have the requests of `src`.
        src: the requests; None: not known.
        output_type: the type of the answers; None: any.
        **wanted: fields of `Landing`.

    Raises:
        ConfigurationError: rows would land where the requests are, or a check names a field that answers lack.
        InputError: the requests cannot be read, or one is not valid.
    """
    typed, checks = output_type is not None, wanted.get("checks") or ()
    validate = answer_check(output_type) if typed else None
    if (loads := wanted.get("loads")) is not None:
        validate = loads.table.checked(validate)
    if src is None:
        refuse_untyped(checks, typed=typed, so_far=_SO_FAR)
        refuse_media_overlap(None, wanted.get("results_uri"), wanted.get("media_uri"))
        yield Landing(validate=validate, output_type=output_type, submits=False, **wanted)
        return
    source = read_source(src)
    refuse_overlap(source, wanted.get("results_uri"))
    refuse_media_overlap(source, wanted.get("results_uri"), wanted.get("media_uri"))
    model = client.get(names[0]).model or ""
    with read_input(client, source, model=model, several_jobs=True) as prepared:
        refuse_untyped(checks, typed=typed or prepared.asks_for_type, so_far=_SO_FAR)
        keys = (lambda: [*prepared.keys()]) if prepared.keyed and prepared.readable else (lambda: None)
        yield Landing(
            validate=validate,
            output_type=output_type,
            facts=InputFacts.of(prepared),
            keys=keys,
            listed=isinstance(src, (list, tuple)),
            submits=False,
            **wanted,
        )
