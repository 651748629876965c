"""What importing a module of this package costs, over what Airflow itself imports."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import json, sys, time
{airflow}
before = set(sys.modules)
start = time.process_time()
import {module}
spent = time.process_time() - start
print(json.dumps([spent, sorted(set(sys.modules) - before)]))
"""

_AIRFLOW = """
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout, AirflowSkipException, BaseOperator, BaseSensorOperator, PokeReturnValue, conf
)
import airflow.triggers.base
"""
"""What any operator, sensor and trigger needs of Airflow itself."""


def import_cost(module: str) -> tuple[float, list[str]]:
    """Import it in a process of its own.

    Args:
        module: Below ``airflow_provider_genai_batch``.

    Returns:
        Seconds of CPU time, and the modules that came with it.
    """
    program = _PROGRAM.format(airflow=_AIRFLOW, module=f"airflow_provider_genai_batch.{module}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    spent, loaded = json.loads(done.stdout.splitlines()[-1])
    return spent, loaded
