"""Operators of Airflow's Google provider on batch jobs of the Gemini API."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow.providers.google.cloud.operators import gen_ai

PROMPTS = [f"say {number}" for number in range(3)]
WHERE: dict[str, Any] = {
    "project_id": "emulator-project",
    "location": "us-central1",
    "gemini_api_key": "any",
}
# No Airflow runs: an operator needs a place for its links alone.
CONTEXT: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}


def run(kind: type[Any], **more: Any) -> Any:
    operator = kind(task_id=kind.__name__, **WHERE, **more)
    # What a task does with what the operator returns is not asked here.
    operator.do_xcom_push = False
    return operator.execute(CONTEXT)


requests = [{"contents": [{"role": "user", "parts": [{"text": prompt}]}]} for prompt in PROMPTS]
made = run(
    gen_ai.GenAIGeminiCreateBatchJobOperator,
    model="gemini-2.5-flash",
    input_source=requests,
    wait_until_complete=True,
    retrieve_result=True,
    polling_interval=1,
)
run(gen_ai.GenAIGeminiListBatchJobsOperator)
name = made["name"] if isinstance(made, dict) else "batches/none"
run(gen_ai.GenAIGeminiGetBatchJobOperator, job_name=name)
run(gen_ai.GenAIGeminiCancelBatchJobOperator, job_name=name)
run(gen_ai.GenAIGeminiDeleteBatchJobOperator, job_name=name)
right = sum(f"Answer to: {prompt}" in str(made) for prompt in PROMPTS)
print(f"right: {right} of {len(PROMPTS)}")
