"""The three walks of ``docs/explanation/how-it-is-built.md``, recorded on the emulator."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client
from tests.triggers.watching import fire, trigger
from tests.walks.recorder import Edge, Walk

PROMPTS = ["Say alpha", "Say beta"]


def to_create() -> Walk:
    """Walk from the operator's ``execute`` to the request that creates the job, for a list of prompts."""
    import_module(
        "airflow_provider_genai_batch.task.attempt"
    )  # what the first run in a process loads is no way
    return _in_a_dag(Walk(_at("operators/run.py", "execute"), _creates))


def to_manifest(folder: Path) -> Walk:
    """Walk from ``execute_complete`` to the manifest, with rows in a file."""
    walk = Walk(_at("operators/run.py", "execute_complete"))
    return _in_a_dag(walk, deferrable=True, results_uri=str(folder / "rows.jsonl"))


def to_event() -> Walk:
    """Walk from a trigger's ``run`` to its event, for a job that has ended at the first look."""
    with client() as service:
        names = [service.create(MODEL, PROMPTS).name for _ in range(2)]
    asyncio.run(fire(trigger(names[:1])))  # the first one in a process loads what all need
    with Walk(_at("triggers/genai_batch.py", "run")) as walk:
        asyncio.run(fire(trigger(names[1:])))
    return walk


def _in_a_dag(walk: Walk, **settings: Any) -> Walk:
    def fill() -> None:
        GenAIBatchOperator(task_id="ask", model=MODEL, src=PROMPTS, poll_interval=0.05, **settings)

    with walk:
        ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    return walk


def _at(file: str, function: str) -> Edge:
    def begins(called: str, frame: FrameType) -> bool:
        return called == file and frame.f_code.co_name == function

    return begins


def _creates(file: str, frame: FrameType) -> bool:
    if not _at("client/transport/http.py", "send")(file, frame):
        return False
    request = frame.f_locals["request"]
    return bool(request.verb == "POST" and request.url.endswith(":batchGenerateContent"))
