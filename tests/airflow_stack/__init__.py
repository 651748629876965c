"""A real Airflow in processes of its own, for tests and for the demo.

::

    with AirflowStack(home, dags, environment) as airflow:
        run = airflow.client.trigger("my_dag")
        airflow.client.wait_for(run)
"""

from __future__ import annotations

from tests.airflow_stack.client import AirflowClient, DagRun
from tests.airflow_stack.postgres import PostgreSQL
from tests.airflow_stack.process import Process
from tests.airflow_stack.stack import AirflowStack

__all__ = ["AirflowClient", "AirflowStack", "DagRun", "PostgreSQL", "Process"]
