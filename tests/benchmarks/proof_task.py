"""Runs the operator over a file of requests, with a further round, and prints its manifest and what it cost.

A process of its own, with the settings of Airflow and the connection in its environment.
Arguments: file of requests, where rows land, rows, settings of the operator as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import set_tracer_provider
from typing_extensions import Self

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.benchmarks.meter import measured
from tests.dags import Ran, run_dag

MODEL = "gemini-2.5-flash"


class Phases(SpanProcessor):
    """Sums up seconds by the clock and of CPU time by the name of the package's spans."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = {}
        self._begun: dict[int, tuple[float, float]] = {}
        provider = TracerProvider()
        provider.add_span_processor(self)
        set_tracer_provider(provider)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        del parent_context
        self._begun[span.context.span_id] = time.perf_counter(), time.process_time()

    def on_end(self, span: Any) -> None:
        wall, cpu = self._begun.pop(span.context.span_id)
        self.add(span.name, time.perf_counter() - wall, time.process_time() - cpu)

    def add(self, name: str, wall: float, cpu: float) -> None:
        """Add to the sums of a phase."""
        sums = self.sums.setdefault(name, [0.0, 0.0])
        sums[0] += wall
        sums[1] += cpu


class Disk:
    """Looks each half second at the temporary files that the process has, and at how many files it keeps open."""

    def __init__(self) -> None:
        self.most = self.files = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            sizes, files = [], [*Path("/proc/self/fd").iterdir()]
            for file in files:
                with suppress(OSError):  # it has been closed meanwhile
                    if str(file.readlink()).endswith(" (deleted)"):
                        sizes.append(file.stat().st_size)
            self.files, self.most = max(self.files, len(files)), max(self.most, sum(sizes))


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

    phases, disk = Phases(), Disk()
    with disk:
        cost = measured(work, rows)
    (one,) = ran
    assert one.state == "success", one.errors
    phases.add("all", cost["seconds"], cost["us_per_row"] * rows / 1e6)
    return {
        "manifest": one.xcom["ask"],
        "warnings": warnings.told,
        "cost": cost,
        "phases": phases.sums,
        "disk": {"spooled_mb": disk.most / 1e6, "files": disk.files},
    }


if __name__ == "__main__":
    _, one_, two, three, four = sys.argv
    print(json.dumps(main(one_, two, int(three), json.loads(four))))  # noqa: T201 - it is read
