"""The plugin that adds the pages to Airflow's UI. Every process of Airflow loads it, so it imports almost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from importlib.metadata import version
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/genai-batch"
_Asgi = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any
]

_ROUTE = "genai-batch"
"""Part of the pages' addresses in Airflow's UI, which loads only the first of two views with the same route."""
_TASK = "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
_OPERATORS = [
    "GenAIBatchOperator",
    "@task.genai_batch",
    "GenAIBatchResultsOperator",
    "GenAIBatchSensor",
    "GenAIBatchMergeOperator",
]
"""The names under which Airflow's UI knows the operators of `records.OPERATORS`."""


async def pages(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer a request for a page. The first one loads the app, in a thread: it takes tenths of a second."""
    if not _app.cache_info().currsize:
        await asyncio.to_thread(_app)
    await _app()(scope, receive, send)


@cache
def _app() -> _Asgi:
    from airflow_provider_genai_batch.pages.app import app

    return app


def _since(major: int, minor: int) -> bool:
    """Return whether Airflow has this version or a later one."""
    return tuple(int(part) for part in version("apache-airflow").split(".")[:2]) >= (major, minor)


class GenAIBatchPlugin(AirflowPlugin):
    """Adds **GenAI batch** to the navigation, and a tab to the pages of tasks. Airflow shows them from 3.1 on."""

    name = "genai_batch"
    fastapi_apps = [{"app": pages, "url_prefix": PREFIX, "name": "GenAI batch"}] if _since(3, 1) else []
    external_views = (
        [
            {
                "name": "GenAI batch",
                "href": f"{PREFIX}/",
                "destination": "nav",
                "url_route": _ROUTE,
                "category": "browse",
            },
            {
                "name": "GenAI batch",
                "href": f"{PREFIX}/task?{_TASK}",
                "destination": "task_instance",
                "url_route": f"{_ROUTE}-task",
                "applies_to": {"operator_name": _OPERATORS},
            },
        ]
        if _since(3, 1)
        else []
    )
