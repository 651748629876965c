"""An hour of the DAG from BigQuery to BigQuery, whose task dies on its way. All steps: ``python -m tests.hourly``."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from tests.hourly.world import Hours
from tests.shared_airflow.unscheduled import SharedAirflow

pytestmark = pytest.mark.stack


def test_an_hour_whose_task_dies_pays_once_and_leaves_a_table_of_the_types_that_were_asked_for(
    shared_airflow: SharedAirflow, big_query: BigQuery, tmp_path: Path
) -> None:
    hours = Hours(shared_airflow.airflow, shared_airflow.emulator, big_query, tmp_path / "marks")
    hours.begin()
    hour = hours.run("tested", lives=2)
    assert not hour.wrong
    assert len(hour.deaths) == 2
