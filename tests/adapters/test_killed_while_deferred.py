"""A trigger of common.ai that is stopped while it cancels still gets its job cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from airflow.providers.common.ai.triggers.llm_batch import LLMBatchTrigger

from airflow_provider_genai_batch.adapters.places import Place
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.adapters.batches import MODELS
from tests.dags import run_dag
from tests.operators.scenes import MODEL

METHODS = {"gemini": "batches.get", "vertex": "batchPredictionJobs.get"}


def test_a_job_is_cancelled_though_airflow_stops_the_cancelling_trigger_again(
    emulator_of: Emulator, backend: str
) -> None:
    emulator_of.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    run_dag(lambda: GenAIBatchOperator(task_id="submit", model=MODEL, src=["Say alpha"], wait=False))
    (job,) = emulator_of.jobs
    trigger = LLMBatchTrigger(
        llm_conn_id="genai_batch_default",
        adapter=MODELS[backend].partition(":")[0],
        batch_id=Place(job["name"], "genai_batch_default").batch_id,
        poll_interval=60,
        end_time=float("inf"),
        cancel_on_kill=True,
        cancel_on_timeout=True,
    )
    ticket = emulator_of.faults.add(METHODS[backend], Fault.hold())

    async def kill() -> None:
        work = asyncio.ensure_future(trigger.on_kill())
        await asyncio.to_thread(ticket.wait_held, 60)
        work.cancel()  # as the triggerer does again each second
        await asyncio.wait(
            {work}, timeout=0.5
        )  # it closes the adapter, unless that waits for the cancellation
        ticket.release()
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(kill())
    (found,) = emulator_of.jobs
    assert found["cancel_requested"]
