"""``python -m tests.stored VERSION``: record what this version stores, for every later one to take."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401 - sets Airflow up


def main(version: str) -> None:
    """Write ``tests/stored/VERSION.json``. One that was released is not written again."""
    from airflow_provider_genai_batch.emulator import Emulator
    from airflow_provider_genai_batch.triggers.job_events import GenAIBatchJobsTrigger
    from tests.stored.passages import PASSAGES, Passage

    recorded: dict[str, Any] = {}
    for name, (run, _) in PASSAGES.items():
        passage = Passage()
        with Emulator() as emulator:
            os.environ["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"] = json.dumps(emulator.connection("gemini"))
            ran = run(emulator, passage)
        if ran.state != "success":
            raise RuntimeError(name) from ran.errors[0]
        recorded[name] = {"deferrals": passage.seen, "records": passage.records}
    watcher = GenAIBatchJobsTrigger(display_name="nightly*").serialize()[1]
    told = {"tasks": recorded, "GenAIBatchJobsTrigger": watcher}
    text = json.dumps(told, indent=1, sort_keys=True)
    Path(__file__).with_name(f"{version}.json").write_text(f"{text}\n")


main(sys.argv[1])
