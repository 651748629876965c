"""DAG files are parsed all day: operators are light to import, and the layers hold at run time too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

HEAVY = (
    "httpx",
    "google.auth",
    "fsspec",
    "airflow_provider_genai_batch.emulator",
    "airflow_provider_genai_batch.client",
)

PROGRAM = """
import json, sys, time
{airflow}
before = set(sys.modules)
start = time.process_time()
import {module}
spent = time.process_time() - start
print(json.dumps([spent, sorted(set(sys.modules) - before)]))
"""

AIRFLOW = """
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout, AirflowSkipException, BaseOperator, BaseSensorOperator, PokeReturnValue, conf
)
import airflow.triggers.base
"""
"""What any operator, sensor and trigger needs of Airflow itself."""


@pytest.mark.parametrize("module", ["operators.genai_batch", "sensors.genai_batch", "triggers.genai_batch"])
def test_importing_it_loads_nothing_heavy(
    module: str, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    program = PROGRAM.format(airflow=AIRFLOW, module=f"airflow_provider_genai_batch.{module}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    spent, loaded = json.loads(done.stdout.splitlines()[-1])
    record_property("cpu_ms", round(spent * 1000, 1))
    with capsys.disabled():
        sys.stdout.write(f"\n{module}: {spent * 1000:.1f} ms of CPU over Airflow's own imports\n")
    heavy = [name for name in loaded if name.startswith(HEAVY)]
    assert not heavy
