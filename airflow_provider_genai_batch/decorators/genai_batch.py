"""``@task.genai_batch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.common.compat.sdk import TaskDecorator, task_decorator_factory

from airflow_provider_genai_batch.decorators.decorated import GenAIBatchDecoratedOperator


def genai_batch_task(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool = False,
    **kwargs: Any,
) -> TaskDecorator:
    """Run a batch job with the requests that a function returns or yields; the manifest is the task's output.

    Args:
        python_callable: the function.
        multiple_outputs: also push each field of the manifest as an XCom of its own.
        **kwargs: of `GenAIBatchOperator`, except ``src``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        # Else Airflow infers it from what the function returns, which is not the task's output.
        multiple_outputs=multiple_outputs,
        decorated_operator_class=GenAIBatchDecoratedOperator,
        **kwargs,
    )
