"""The tasks for which Airflow's UI has the tab."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.decorators.decorated import GenAIBatchDecoratedOperator
from airflow_provider_genai_batch.operators import genai_batch
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor

records = pytest.importorskip("airflow_provider_genai_batch.pages.records", reason="pages need Airflow 3.1")


def test_every_operator_of_the_pages_has_the_tab_under_the_name_that_the_ui_compares() -> None:
    from airflow_provider_genai_batch.pages.plugin import GenAIBatchPlugin

    known: dict[str, Any] = {
        one.__name__: one
        for one in (*vars(genai_batch).values(), GenAIBatchSensor, GenAIBatchDecoratedOperator)
        if isinstance(one, type)
    }
    names = [getattr(known[name], "custom_operator_name", name) for name in records.OPERATORS]
    (tab,) = [view for view in GenAIBatchPlugin.external_views if view["destination"] == "task_instance"]
    assert sorted(tab["applies_to"]["operator_name"]) == sorted(names)
