"""Runs the operator over a file of requests, with a further round, and prints its manifest and what it cost.

A process of its own, with the settings of Airflow and the connection in its environment.
Arguments: file of requests, where rows land, rows, settings of the operator as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.benchmarks.meter import measured
from tests.dags import Ran, run_dag

MODEL = "gemini-2.5-flash"


class _Warnings(logging.Handler):
    """Keeps what the landing warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


def main(src: str, target: str, rows: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Run the task; one over two requests comes first, so that all code is there when it counts."""
    settings = {"model": MODEL, "poll_interval": 0.5, "retry_failed_rows": 1, "deferrable": False, **settings}
    warnings, ran = _Warnings(), list[Ran]()
    run_dag(lambda: GenAIBatchOperator(task_id="few", src=["Hi", "Ho"], results_uri=target, **settings))
    log = logging.getLogger("airflow_provider_genai_batch.task.landing")
    log.addHandler(warnings)

    def work() -> None:
        ran.append(
            run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, results_uri=target, **settings))
        )

    cost = measured(work, rows)
    (one,) = ran
    assert one.state == "success", one.errors
    return {"manifest": one.xcom["ask"], "warnings": warnings.told, "cost": cost}


if __name__ == "__main__":
    _, one_, two, three, four = sys.argv
    print(json.dumps(main(one_, two, int(three), json.loads(four))))  # noqa: T201 - it is read
