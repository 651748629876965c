from __future__ import annotations
import json, pytest
from tests.dags import run_dag
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

@pytest.mark.parametrize("deferrable", [False, True])
def test_inline(gemini, tmp_path, deferrable):
    out = tmp_path / "rows.jsonl"
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model="gemini-2.5-flash", src=["a", "b {{ ds }}"], results_uri=str(out), poll_interval=0.05, deferrable=deferrable))
    print(ran)
    assert ran.state == "success"
    print(out.read_text())
