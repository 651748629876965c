"""Refuses requests with files of the Files API that expire before the deadline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ApiError, ConfigurationError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.ready.past import moment

LIFE = 48 * 3600.0
"""Seconds for which the Files API keeps a file from its upload (Google's page "Files API", 2026)."""
MOST_LOOKS = 100
"""Most files to read by name; the files of one night are uploaded together."""
_FILE = re.compile(rb'"file_?[uU]ri"\s*:\s*"[^"]*?(files/[a-z0-9-]{1,40})"')


def refuse_expiring(client: GenAIBatchClient, prepared: PreparedInput, at: float) -> None:
    """Refuse requests whose files expire before a moment, because unanswered requests could not be sent again then.

    Args:
        client: the client of the task's connection.
        prepared: the requests.
        at: the moment, in seconds since the epoch by the service's clock.

    Raises:
        ConfigurationError: a file expires earlier.
    """
    if client.config.backend is not Backend.GEMINI:
        return
    names: set[str] = set()
    for name in _files(prepared):
        if name in names or len(names) >= MOST_LOOKS:
            continue
        names.add(name)
        try:
            expires = client.perform(client.calls.get_file(name)).expires
        except ApiError:
            continue  # the service reports what is wrong with it when the request is sent
        ends = client.service_time() + LIFE if expires is None else expires.timestamp()
        if ends < at:
            msg = (
                f"ready_by is {moment(at)}, and {name}, which a request refers to, expires at {moment(ends)}: "
                "requests without an answer by then could not be sent again. Nothing was sent, and nothing is "
                "billed. Upload the file again shortly before the task runs, give an earlier moment, or leave ready_by "
                "out."
            )
            raise ConfigurationError(msg)


def _files(prepared: PreparedInput) -> Iterator[str]:
    """Yield the names of files in requests, repeated ones too."""
    for line in prepared.request_lines():
        for found in _FILE.finditer(line):
            yield found[1].decode()
