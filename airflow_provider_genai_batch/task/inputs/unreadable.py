"""Refusals for requests that only the service reads, so that only a job can submit them."""

from __future__ import annotations

from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource


def refuse_unreadable(source: BatchSource, parameter: str) -> None:
    """Refuse a parameter that needs to send unanswered requests another way.

    Args:
        source: where the requests are.
        parameter: the parameter's name.

    Raises:
        ConfigurationError: only the service reads the requests.
    """
    if where := source.bigquery_uri or source.file_name:
        msg = (
            f"{parameter} cannot be combined with {where}: only the service reads its requests, "
            "so they cannot be sent another way. Give them as a list, a file, or gs:// objects that the "
            f"connection may read, or leave {parameter} out."
        )
        raise ConfigurationError(msg)


def unreadable_source(address: str) -> UnsupportedError:
    """Return the refusal of immediate calls for requests that only a job can read."""
    return UnsupportedError(
        f"Only the service reads the requests in {address}, so they can be submitted in batch jobs "
        'only. Nothing was sent. Give them as a list, a file or gs:// objects, or leave tier at "batch", and '
        "online_below and retry_tier out."
    )
