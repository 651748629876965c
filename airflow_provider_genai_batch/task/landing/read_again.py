"""Reads an input once more when its rows land: for the keys of missing rows, and for the columns of the input rows."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import (
    PASSING,
    CallError,
    ConfigurationError,
    InputError,
    ResultsNotWritten,
)
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.task.files.files import spool
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.settings.order import Order

log = logging.getLogger(__name__)


def reread_keys(
    client: GenAIBatchClient, order: Callable[[], Order], key_sum: int | None
) -> list[str] | None:
    """Read an input once more for its keys; return None if it is gone or has changed.

    Args:
        client: the client of the task's connection.
        order: reads the task's parameters; their input may be gone or exhausted by now.
        key_sum: checksum of the keys of the requests.
    """
    try:
        asked = order()
        with read_input(
            client,
            asked.source,
            model=asked.model,
            request_defaults=asked.request_defaults,
            prompt=asked.prompt,
            several_jobs=True,
            rows=asked.rows,
        ) as prepared:
            if not prepared.keyed:
                return None
            if prepared.key_sum != key_sum:
                log.warning("The keys of missing rows are not known: the input has changed.")
                return None
            return list(prepared.keys())
    except (InputError, ConfigurationError) as error:
        log.warning(
            "The keys of missing rows are not known, because the input cannot be read again: %s", error
        )
        return None


@contextmanager
def reread_columns(
    client: GenAIBatchClient, order: Callable[[], Order], content: Any, prepared: PreparedInput | None = None
) -> Iterator[Callable[[int], Mapping[str, Any]] | None]:
    """Read a table once more for the columns of the input rows, which land beside the answers.

    Args:
        client: the client of the task's connection.
        order: reads the task's parameters; their input may be gone or exhausted by now.
        content: content digest of the whole input.
        prepared: the input, if it is still open: rows that can be read only once come from it.

    Raises:
        ResultsNotWritten: this machine's disk is full.

    Yields:
        The columns by a row's position in the input, from 0, while the block lasts. None: the input is not a table; or
        it is gone or has changed, which is logged.
    """
    with ExitStack() as stack:
        at_hand = prepared.columns if prepared is not None else None
        yield _columns(stack, client, order, content) if at_hand is None else at_hand


def _columns(
    stack: ExitStack, client: GenAIBatchClient, order: Callable[[], Order], content: Any
) -> Columns | None:
    try:
        asked = order()
        if asked.prompt is None:
            return None
        asks = (asked.source, asked.model, asked.request_defaults, asked.prompt)
        reading = InputReader(stack, client, *asks, several_jobs=True, rows=asked.rows)
        columns, sha256 = Columns(stack.enter_context(spool()), asked.rows.columns), hashlib.sha256()
        for block in reading.table_writer(asked.prompt).blocks(reading.table_rows(asked.prompt, columns)):
            sha256.update(block)
    except PASSING:
        raise
    except OSError as error:
        msg = (
            f"The columns of the input, which land beside the answers, could not be kept on this machine: {error}. The "
            "job has ended and its answered rows are paid for; they are still at the service. The next attempt "
            "reattaches to the same job and pays nothing."
        )
        raise ResultsNotWritten(msg, job_names=()) from error
    except (InputError, ConfigurationError, CallError) as error:
        log.warning("Rows land without the columns of their input, which cannot be read again: %s", error)
        return None
    if sha256.hexdigest() != content:
        log.warning("Rows land without the columns of their input, which has changed.")
        return None
    return columns
