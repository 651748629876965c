"""What a page says of an error."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.printable import printable


def trouble_of(error: Exception) -> str:
    """Return the type and text of an error.

    The text of errors that a secrets backend or a library raises may hold secrets, so only their type is named.
    """
    name = type(error).__name__
    ours = isinstance(error, (GenAIBatchError, AirflowNotFoundException))
    return f"{name}: {printable(str(error), 300)}" if ours else name
