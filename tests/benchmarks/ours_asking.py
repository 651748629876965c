"""Takes an input in and uploads it with this package; prints what it cost. A process of its own.

Arguments: address, form, rows, folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.wire.parameters.sources import read_rows, read_source
from tests.benchmarks.data import answers
from tests.benchmarks.inputs import CONFIG, FORMS, prepare
from tests.benchmarks.meter import measured

MODEL = "gemini-2.5-flash"
_WARM_UP = 1000


def main(address: str, form: str, rows: int, folder: Path) -> dict[str, float]:
    """Ask a few rows, so that all code is there, and then all."""
    prompt = Prompt("{text}") if form in ("csv", "parquet") else None
    form, defaults = ("jsonl", CONFIG) if form == "defaults" else (form, None)
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="benchmark", host=address)) as client:

        def ask(number: int) -> dict[str, float]:
            source = prepare(folder, form, number) if form in FORMS else list(answers("plain", number))
            return measured(lambda: placed(number, source), number)

        def placed(number: int, source: Any) -> None:
            given = str(source) if form in FORMS else ({"contents": text} for text in source)
            read = read_source if prompt is None else read_rows
            source = read(given)
            with read_input(
                client, source, model=MODEL, prompt=prompt, request_defaults=defaults
            ) as prepared:
                assert prepared.requests == number
                assert prepared.place(client, Identity("a" * 64, "b" * 64), None) is not None

        ask(_WARM_UP)
        return ask(rows)


if __name__ == "__main__":
    _, one, two, three, four = sys.argv
    print(json.dumps(main(one, two, int(three), Path(four))))  # noqa: T201 - it is read
