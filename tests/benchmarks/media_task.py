"""Runs the operator over requests for pictures and looks at what landed; prints what it cost.

A process of its own, with the settings of Airflow and the connection in its environment. Argument: settings as JSON.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.benchmarks.meter import measured
from tests.dags import Ran, run_dag

MODEL = "gemini-2.5-flash-image"
BUCKET = "gs://emulator-staging"


def main(*, backend: str, pictures: int, deferrable: bool, folder: str) -> dict[str, Any]:
    """Run the task; one over two requests comes first, so that all code is there when it counts."""
    ran = list[Ran]()

    def ask(number: int) -> None:
        place = f"{BUCKET}/{number}" if backend == "vertex" else f"{folder}/{number}"
        dest = {"dest": f"{place}/out/"} if backend == "vertex" else {}
        ran.append(
            run_dag(
                lambda: GenAIBatchOperator(
                    task_id="draw",
                    model=MODEL,
                    src=[
                        {"key": f"picture {index}", "contents": f"Draw {index}."} for index in range(number)
                    ],
                    results_uri=f"{folder}/rows-{number}.jsonl",
                    media_uri=f"{place}/media/",
                    poll_interval=0.5,
                    deferrable=deferrable,
                    **dest,
                )
            )
        )

    ask(2)
    figures: dict[str, Any] = measured(lambda: ask(pictures), pictures)
    assert [one.state for one in ran] == ["success"] * 2, [one.errors for one in ran]
    _check(Path(folder) / f"rows-{pictures}.jsonl", pictures)
    return {**figures, "manifest": ran[-1].xcom["draw"]}


def _check(path: Path, pictures: int) -> None:
    """Look at each row's file by nothing but what the row says."""
    with path.open() as lines, GenAIBatchHook().get_conn() as client:
        names = set()
        for row in map(json.loads, lines):
            (medium,) = row["media"]
            uri = medium["uri"]
            data = b"".join(client.download(uri)) if "://" in uri else Path(uri).read_bytes()
            assert (medium["bytes"], medium["sha256"]) == (len(data), sha256(data).hexdigest())
            assert data.startswith(b"\x89PNG")
            names.add(uri)
    assert len(names) == pictures


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))  # noqa: T201 - it is read
