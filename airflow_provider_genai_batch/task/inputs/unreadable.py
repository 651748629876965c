"""Requests that the service reads by itself: nobody here could ask them in another way than by a job."""

from __future__ import annotations

from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource


def refuse_unreadable(source: BatchSource, parameter: str) -> None:
    """Refuse a parameter by which what a job has not answered is asked in another way.

    Args:
        source: of the requests.
        parameter: its name.

    Raises:
        ConfigurationError: the service reads them by itself.
    """
    if where := source.bigquery_uri or source.file_name:
        msg = (
            f"{parameter} does not go with {where}: its requests are read by the service and cannot be read from here, "
            "so none of them could be asked in another way. Give them as a list, a file, or gs:// objects that the "
            f"connection may read, or leave {parameter} out."
        )
        raise ConfigurationError(msg)


def unreadable_source(address: str) -> UnsupportedError:
    """Return the refusal of requests that are to be asked at once, and that only a job can read."""
    return UnsupportedError(
        f"The requests in {address} are read by the service and not from here, so they can be asked in batch jobs "
        'only. Nothing was sent. Give them as a list, a file or gs:// objects, or leave tier at "batch", and '
        "online_below and retry_tier out."
    )
