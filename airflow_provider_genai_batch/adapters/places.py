"""The connection that a job of common.ai belongs to.

common.ai gives an adapter only the password and the host of a connection: not its project, its credentials or its id.
While a task submits, the running task has the id. Afterwards the batch id contains it. That also works on the
triggerer, where no task runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from airflow.providers.common.compat.sdk import get_current_context

from airflow_provider_genai_batch.exceptions import ConfigurationError

_MARK = "@"
"""Occurs neither in ids of Airflow connections nor in names of jobs."""


class Place(NamedTuple):
    """A job and the connection that reaches it."""

    job: str
    conn_id: str

    @property
    def batch_id(self) -> str:
        """The id that common.ai keeps."""
        return f"{self.job}{_MARK}{self.conn_id}"

    @classmethod
    def of(cls, batch_id: str) -> Place:
        """Read a batch id.

        Raises:
            ConfigurationError: the text is not a batch id of this package.
        """
        job, mark, conn_id = batch_id.rpartition(_MARK)
        if not mark:
            msg = f"{batch_id!r} is not a batch id of this package; they look like <job name>{_MARK}<connection id>."
            raise ConfigurationError(msg)
        return cls(job, conn_id)


def running_task() -> tuple[Any, str]:
    """Return the context of the running task, and the id of its connection.

    Raises:
        ConfigurationError: no task of common.ai is running.
    """
    try:
        context: Any = get_current_context()
    except RuntimeError:
        context = {}
    conn_id = getattr(context.get("task"), "llm_conn_id", None)
    if not isinstance(conn_id, str):
        msg = (
            "Only a running task of @task.llm_batch or LLMBatchOperator can submit jobs, because its llm_conn_id "
            "names the connection. Nothing was sent."
        )
        raise ConfigurationError(msg)
    return context, conn_id
