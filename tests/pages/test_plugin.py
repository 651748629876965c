"""What the plugin adds to Airflow's UI and API server."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import module_from_spec, spec_from_file_location
from threading import get_ident
from types import ModuleType
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


def test_the_first_request_loads_the_app_in_a_thread_so_that_the_event_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_provider_genai_batch.pages import plugin

    loaded: list[int] = []
    asked: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        asked.append(scope["path"])

    class App(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name != "app":
                raise AttributeError(name)
            loaded.append(get_ident())
            return app

    monkeypatch.setitem(sys.modules, f"{plugin.__package__}.app", App("app"))
    spec = spec_from_file_location("fresh_plugin", plugin.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = module_from_spec(spec)
    spec.loader.exec_module(fresh)

    async def ask() -> None:
        for path in ("/one", "/two"):
            await fresh.pages({"path": path}, None, None)

    asyncio.run(ask())
    assert asked == ["/one", "/two"]
    assert len(loaded) == 1
    assert loaded != [get_ident()]
