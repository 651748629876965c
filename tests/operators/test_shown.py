"""What Airflow's UI shows of a task: the prompt and the type of its answers are among rendered templates."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.utils.session import create_session
from pydantic import AfterValidator, BaseModel
from sqlalchemy import select

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL


class Review(BaseModel):
    label: str


@pytest.mark.parametrize("mapped", [False, True], ids=["one", "mapped"])
def test_a_prompt_and_a_type_are_shown_as_they_are_written(gemini: Emulator, mapped: bool) -> None:
    how: dict[str, Any] = {"task_id": "ask", "model": MODEL, "prompt": "Classify {{x}}: {text}"}
    how |= {"output_type": Review, "max_failed_rows": 1.0, "poll_interval": 0.05}
    src = [{"text": "good"}]

    def fill() -> None:
        if mapped:
            GenAIBatchOperator.partial(**how).expand(src=[src])
        else:
            GenAIBatchOperator(src=src, **how)

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    with create_session() as session:
        table = RenderedTaskInstanceFields
        row = session.scalars(select(table).where(table.dag_id == ran.dag_id, table.task_id == "ask")).one()
        shown = row.rendered_fields["asks_for"]
    assert shown == {"prompt": "Classify {{x}}: {text}", "output_type": f"{__name__}.Review"}


def test_what_is_shown_is_the_same_in_every_process() -> None:
    def not_empty(value: str) -> str:
        return value

    task = GenAIBatchOperator(
        task_id="ask",
        model=MODEL,
        src=["a"],
        output_type=list[Annotated[str, AfterValidator(not_empty)]],
    )
    assert task.asks_for is not None
    assert "AfterValidator" in task.asks_for["output_type"]
    assert "0x" not in task.asks_for["output_type"]
    assert GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"]).asks_for is None
