"""``@task.llm_batch`` on an emulator, as a DAG author writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import task

from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL

MODELS = {"gemini": f"google:{MODEL}", "vertex": f"google-cloud:{MODEL}"}
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
PROMPTS = ["Say alpha", "Say {{ ds }}", "Say gamma"]


def llm_batch(folder: Path, **settings: Any) -> Any:
    """Return the decorator with what all tests want."""
    settings = {"llm_conn_id": "genai_batch_default", "model_id": MODELS["gemini"], **settings}
    return task.llm_batch(
        result_path=str(folder), **{"task_id": "ask", "poll_interval": 0, "retry_delay": 0, **settings}
    )


def ask(folder: Path, requests: Any = PROMPTS, **settings: Any) -> Ran:
    """Run a DAG with one task that asks."""

    def given() -> Any:
        return requests() if isinstance(requests, Callable) else requests  # type: ignore[arg-type]

    return run_dag(llm_batch(folder, **settings)(given))


def rows(ran: Ran) -> dict[int, dict[str, Any]]:
    """Return the rows that the manifest leads to, by the place of their request."""
    path = Path(ran.xcom["ask"]["result_uri"].removeprefix("file://"))
    return {row["index"]: row for row in map(json.loads, path.read_text().splitlines())}


def the_error(ran: Ran) -> BaseException:
    """Return what the one attempt raised."""
    assert ran.state == "failed"
    (error,) = ran.errors
    return error
