"""Checks of requests before anything is sent, with common.ai's errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.ai.exceptions import LLMBatchInputError, LLMBatchLimitExceededError

from airflow_provider_genai_batch.adapters.requests import Wording
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.requests.write import request_lines
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES

SPLIT = "Split the input across mapped task instances with .expand()."


@contextmanager
def as_input_error() -> Iterator[None]:
    """Raise input errors of this package as common.ai's own error."""
    try:
        yield
    except InputError as error:
        raise LLMBatchInputError(str(error)) from error


def check_lines(
    wording: Wording, requests: Sequence[Mapping[str, Any]], prefix: str, *, model: str, most: int
) -> None:
    """Check every request by writing its line, without keeping the lines.

    Args:
        wording: the task's settings.
        requests: common.ai's requests.
        prefix: the prefix of their keys.
        model: the model of the job.
        most: the most bytes that one job takes.

    Raises:
        InputError: a request cannot be sent.
        LLMBatchLimitExceededError: together the requests are too large.
    """
    given, defaults, size = wording.requests(requests, prefix), wording.defaults(), 0
    lines = request_lines(given, wording.backend, Task.GENERATE, model, defaults, max_bytes=sys.maxsize)
    for number, (_, line) in enumerate(lines, 1):
        size += len(line)
        if size > most:
            msg = (
                f"{SERVICE_NAMES[wording.backend]} takes {most} bytes in one job; the input is larger from request "
                f"{number} of {len(requests)} on. {SPLIT}"
            )
            raise LLMBatchLimitExceededError(msg)
