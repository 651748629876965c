"""DAG files are parsed all day: operators are light to import, and the layers hold at run time too."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.operators.import_cost import import_cost

HEAVY = (
    "httpx",
    "google.auth",
    "fsspec",
    "airflow_provider_genai_batch.emulator",
    "airflow_provider_genai_batch.client",
)


@pytest.mark.parametrize("module", ["operators.genai_batch", "sensors.genai_batch", "triggers.genai_batch"])
def test_importing_it_loads_nothing_heavy(
    module: str, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    spent, loaded = import_cost(module)
    record_property("cpu_ms", round(spent * 1000, 1))
    with capsys.disabled():
        sys.stdout.write(f"\n{module}: {spent * 1000:.1f} ms of CPU over Airflow's own imports\n")
    heavy = [name for name in loaded if name.startswith(HEAVY)]
    assert not heavy
