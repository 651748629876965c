"""Tasks in Task Loops of Airflow 3.4, and beside them: all of them ask the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task_group

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

SRC = ["the same in every task instance"]
ASK: dict[str, Any] = {"model": "gemini-2.5-flash", "poll_interval": 0.5, "retry_delay": timedelta(0)}


class FailsOnce(GenAIBatchOperator):
    """Fails at its first try when its job is there."""

    def execute(self, context: Any) -> Any:
        """Ask, and fail or not."""
        manifest = super().execute(context)
        if context["ti"].try_number == 1:
            msg = "the first try ends here"
            raise RuntimeError(msg)
        return manifest


for name in ("coordinates", "more_coordinates"):
    with DAG(name, schedule=None):
        once = {**ASK, "wait": False, "retries": 1}

        @task_group
        def body() -> None:
            """Ask in one task, then in two mapped ones."""
            one = FailsOnce(task_id="one", src=SRC, **once)  # noqa: B023 - called at once
            one >> FailsOnce.partial(task_id="mapped", **once).expand(src=[SRC, SRC])  # noqa: B023 - as above

        (
            FailsOnce(task_id="before", src=SRC, **once)
            >> body.loop(max_iterations=2)
            >> FailsOnce.partial(task_id="mapped", **once).expand(src=[SRC, SRC])
        )

for deferrable in (True, False):
    with DAG("waits_deferred" if deferrable else "waits_in_place", schedule=None):

        @task_group
        def waiting() -> None:
            """Wait for a job, and for another one whenever it is cleared."""
            GenAIBatchOperator(task_id="ask", src=SRC, deferrable=deferrable, reattach=False, **ASK)  # noqa: B023 - as above

        waiting.loop(max_iterations=2)

with DAG("links", schedule=None):

    @task_group
    def linked() -> None:
        """Ask on Vertex AI, whose jobs have pages of their own."""
        GenAIBatchOperator(
            task_id="ask",
            src=SRC,
            conn_id="genai_batch_vertex",
            dest="gs://emulator-staging/loops/",
            deferrable=True,
            **ASK,
        )

    linked.loop(max_iterations=2)
